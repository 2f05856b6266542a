import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { UpstreamSnapshot } from '../../src/index.ts'
import { UpstreamNames } from '../../src/telemetry/upstream-names.ts'

const namesOf = (max: number, reuse: boolean, ...known: { name: string; configured: boolean }[]): UpstreamNames =>
  new UpstreamNames({ snapshot: () => known as unknown as UpstreamSnapshot[] }, max, reuse)
const told = (names: UpstreamNames, ...upstreams: string[]): string[] => upstreams.map(upstream => names.of(upstream))

describe('the names upstreams are told under', () => {
  test('are their own for those configured, and for so many others', () => {
    const names = namesOf(2, true, { name: 'api', configured: true }, { name: 'a', configured: false })
    for (const upstream of ['b', 'c']) names.made(upstream)
    deepEqual(told(names, 'api', 'a', 'b', 'c', 'never made'), ['api', 'a', 'b', 'other', 'other'])
  })

  test('are free again when an upstream is gone; one that was folded stays so while it lives', () => {
    const names = namesOf(1, true)
    for (const upstream of ['a', 'b']) names.made(upstream)
    equal(names.gone('a'), 'a')
    names.made('c')
    deepEqual(told(names, 'a', 'b', 'c'), ['other', 'other', 'c'])
    equal(names.gone('b'), undefined)
    equal(names.gone('c'), 'c')
    names.made('b')
    deepEqual(told(names, 'b'), ['b'])
  })

  test('of those configured take no place, nor give one back', () => {
    const names = namesOf(1, true, { name: 'api', configured: true })
    equal(names.gone('api'), 'api')
    for (const upstream of ['a', 'b']) names.made(upstream)
    deepEqual(told(names, 'a', 'b'), ['a', 'other'])
  })

  test('stay while another of the same name lives', () => {
    const names = namesOf(1, true)
    names.made('a')
    names.made('a')
    equal(names.gone('a'), undefined)
    deepEqual(told(names, 'a'), ['a'])
    equal(names.gone('a'), 'a')
    equal(names.gone('a'), undefined, 'nor does it go twice')
  })

  test('are taken for good where series cannot be let go of', () => {
    const names = namesOf(1, false)
    names.made('a')
    equal(names.gone('a'), undefined)
    names.made('b')
    names.made('a')
    deepEqual(told(names, 'a', 'b'), ['a', 'other'])
  })
})
