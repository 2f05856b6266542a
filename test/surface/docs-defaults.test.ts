import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient, type ClientOptions, type Policy } from '../../src/index.ts'
import { DEFAULTS } from '../../src/options/policy.ts'
import { CALL_SECTIONS, literalOf, optionDocs, table, type OptionDoc } from '../support/option-docs.ts'
import { approved, between, read } from './approved.ts'

/*
 * What is said of a default, in three places, is one thing: the `@default` of an option, DEFAULTS, and docs/options.md.
 */

const documented = [...optionDocs().values()].flat()
const ofCall = optionDocs(undefined, CALL_SECTIONS)
const callOptions = [...ofCall.values()].flat()
const withDefault = documented.filter((option): option is OptionDoc & { fallback: string } => option.fallback !== undefined)

const at = (value: unknown, path: string): unknown => path.split('.').reduce<unknown>((inner, key) =>
  typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined, value)

/** Defaults of the client alone are no part of a policy. */
const CLIENT = Object.keys(DEFAULTS.client)
/** Groups that are off unless asked for; their own defaults are what `true` stands for. */
const OFF = ['hedge', 'stale']
/** `{}` is what there is when nothing is given. */
const inDefaults = (path: string): unknown => path === 'headers' ? {} : OFF.includes(path) ? false : at(DEFAULTS, CLIENT.includes(path) ? `client.${path}` : path)

const policyOf = (options: ClientOptions): Policy => createClient(options).explain('http://h').policy

describe('defaults', () => {
  for (const { path, fallback } of withDefault) {
    const literal = literalOf(fallback)
    if (literal === undefined) continue
    test(`${path}: ${fallback}`, () => {
      deepEqual(literal, inDefaults(path))
      // What a deadline of ten seconds makes of them; the window must hold two attempts.
      const effective = path === 'breaker.window' ? 20_000 : literal
      const on = Object.fromEntries(OFF.filter(group => path.startsWith(`${group}.`)).map(group => [group, true]))
      if (!CLIENT.includes(path)) deepEqual(at(policyOf(on), path), effective)
    })
  }

  test('that depend on other options do so as they say', () => {
    const said = Object.fromEntries(withDefault.filter(({ fallback }) => literalOf(fallback) === undefined)
      .map(({ path, fallback }) => [path, fallback]))
    deepEqual(said, {
      'attemptTimeout': 'the deadline',
      'breaker.probeTimeout': 'attemptTimeout, at most 5000',
      'limit.queueTimeout': 'the deadline',
      'pool.connections': 'limit.max',
      'name': '`default` for the first client without a name, `default-2` for the next, and so on',
    })
    const [short, long] = [policyOf({ deadline: 700 }), policyOf({ deadline: 30_000 })]
    for (const policy of [short, long]) {
      ok(policy.breaker !== false && policy.limit !== false)
      equal(policy.attemptTimeout, policy.deadline)
      equal(policy.breaker.probeTimeout, Math.min(policy.attemptTimeout, 5_000))
      equal(policy.limit.queueTimeout, policy.deadline)
      equal(policy.pool.connections, Infinity, 'the limit alone bounds them')
    }
  })

  test('are all documented', () => {
    const paths = (value: object, prefix: string): string[] => Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? paths(inner, `${prefix}${key}.`) : `${prefix}${key}`)
    const known = paths(DEFAULTS, '').map(path => path.replace(/^client\./, ''))
    deepEqual(known.filter(path => !withDefault.some(option => option.path === path)), [])
  })

  test('of a call are those of its upstream, where they are said to be', () => {
    const upstream = documented.map(({ path }) => path)
    const taken = callOptions.filter(({ fallback }) => fallback?.startsWith("the upstream's")).map(({ path }) => path)
    deepEqual(taken.filter(path => !upstream.includes(path)), [])
    // What an upstream has by the same name, but a call can only switch off.
    const others = callOptions.filter(({ path }) => upstream.includes(path) && !taken.includes(path))
    deepEqual(others.filter(({ type }) => type !== 'false').map(({ path }) => path), ['headers'])
  })

  test('every option says what it does', () => {
    for (const { path, text, type } of [...documented, ...callOptions]) {
      ok(text.length > 10, `${path} says nothing`)
      notEqual(type, '', path)
    }
  })
})

test('the tables of docs/options.md say what src/options/ says', () => {
  const file = 'docs/options.md'
  const written = [...optionDocs(), ...ofCall].reduce((text, [name, options]) => between(text, name, table(options)), read(file))
  approved(file, written)
})
