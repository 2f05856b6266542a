import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient, OptionError, type ClientOptions } from '../../src/index.ts'
import { testEnv } from '../support/clock.ts'
import { optionPaths } from '../support/option-docs.ts'

type Wrong = readonly [value: unknown, shown: string]

/** `{ retry: { budget: { cost: value } } }` for `retry.budget.cost`. */
const nested = (path: string, value: unknown): ClientOptions =>
  path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as ClientOptions

const refusal = (options: unknown): OptionError => {
  try {
    createClient(options as ClientOptions)
  } catch (error) {
    ok(error instanceof OptionError, `${String(error)} is no OptionError`)
    return error
  }
  throw new Error(`nothing was thrown for ${JSON.stringify(options)}`)
}

const OBJECTS: readonly Wrong[] = [[null, 'null'], [[], 'an array'], [{}, 'an object'], [() => 1, 'a function']]
const NO_NUMBER: readonly Wrong[] = [
  ...OBJECTS, ['7', "'7'"], [true, 'true'], [NaN, 'NaN'], [7n, '7'], [Symbol('x'), 'a symbol'], [-Infinity, '-Infinity'],
]
const NO_WHOLE: readonly Wrong[] = [...NO_NUMBER, [1.5, '1.5'], [Infinity, 'Infinity'], [-1, '-1'], [2 ** 53, '9007199254740992']]
const MS: readonly Wrong[] = [
  ...NO_NUMBER, [0, '0'], [0.5, '0.5'], [-1, '-1'], [Infinity, 'Infinity'], [2 ** 31, '2147483648'],
]
const NO_TEXT: readonly Wrong[] = [...OBJECTS, ['', "''"], [7, '7'], [true, 'true']]
const NO_BOOLEAN: readonly Wrong[] = [...OBJECTS, ['true', "'true'"], [1, '1']]
const NO_GROUP: readonly Wrong[] = [[null, 'null'], [[], 'an array'], [true, 'true'], [7, '7'], ['off', "'off'"]]
/** Where even a short text may be a secret. */
const NO_RECORD: readonly Wrong[] = [[null, 'null'], [[], 'an array'], [true, 'a boolean'], ['secret', 'a string']]

const ms = [MS, 'a number of ms from 1 to 2147483647'] as const
const msOrZero = [
  [...NO_NUMBER, [-1, '-1'], [Infinity, 'Infinity'], [2 ** 31, '2147483648']] as const, 'a number of ms from 0 to 2147483647',
] as const
const openMs = [[...NO_NUMBER, [0, '0'], [-1, '-1']] as const, 'a number of ms (at least 1) or Infinity'] as const
const positive = [[...NO_WHOLE, [0, '0']] as const, 'a positive integer'] as const
const count = [NO_WHOLE, 'a non-negative integer'] as const
const share = [[...NO_NUMBER, [-0.1, '-0.1'], [1.01, '1.01'], [50, '50']] as const, 'a ratio from 0 to 1'] as const
const rate = [[...NO_NUMBER, [0, '0'], [1.01, '1.01'], [50, '50']] as const, 'a ratio greater than 0 and at most 1'] as const
const boolean = [NO_BOOLEAN, 'true or false'] as const
const group = [NO_GROUP, 'a plain object or false'] as const
const record = [NO_RECORD, 'a plain object'] as const
const array = [[[null, 'null'], ['GET', "'GET'"], [{}, 'an object'], [7, '7']] as const, 'an array'] as const
const callable = [[[null, 'null'], [{}, 'an object'], ['f', "'f'"]] as const, 'a function'] as const

/** Every option with values it must refuse, and what it must say it wants. */
const WRONG: Record<string, readonly [values: readonly Wrong[], expected: string]> = {
  'name': [NO_TEXT, 'a non-empty string'],
  'upstreams': record,
  'allow': [[['all', "'all'"], [true, 'true'], [{}, 'an object'], [null, 'null']],
    "'any', 'configured' or an array of origins and patterns"],
  'maxUpstreams': positive,
  'idleTimeout': ms,
  'maxStaleSize': positive,
  'env': record,
  'deadline': ms,
  'attemptTimeout': ms,
  'callerTimeout': ms,
  'deadlineHeader': [[['', "''"], ['x y', "'x y'"], [true, 'true'], [null, 'null'], [7, '7']],
    'a header name or false'],
  'headers': [NO_RECORD, 'a plain object of header fields'],
  'throwOnStatus': boolean,
  'maxBodySize': count,
  'redirects': [[...NO_WHOLE, [21, '21']], 'an integer from 0 to 20'],
  'retry': group,
  'breaker': group,
  'limit': group,
  'pool': [[...NO_GROUP, [false, 'false']], 'a plain object'],
  'coalesce': boolean,
  'stale': [NO_GROUP.filter(([value]) => value !== true), 'a plain object, true or false'],
  'fallback': [[...callable[0], [true, 'true'], [7, '7']], 'a function or false'],
  'retry.limit': [[...NO_WHOLE, [101, '101']], 'an integer from 0 to 100'],
  'retry.methods': array,
  'retry.statuses': array,
  'retry.backoff': msOrZero,
  'retry.throttledBackoff': msOrZero,
  'retry.maxBackoff': msOrZero,
  'retry.budget': [[...NO_GROUP, [false, 'false']], 'a plain object'],
  'retry.budget.capacity': positive,
  'retry.budget.cost': positive,
  'retry.budget.throttledCost': positive,
  'breaker.failureRate': rate,
  'breaker.minimumCalls': positive,
  'breaker.window': ms,
  'breaker.consecutive': positive,
  'breaker.slowCallDuration': openMs,
  'breaker.slowCallRate': rate,
  'breaker.probes': positive,
  'breaker.probeTimeout': ms,
  'breaker.probeShare': share,
  'breaker.openTime': ms,
  'breaker.maxOpenTime': ms,
  'breaker.ramp': msOrZero,
  'breaker.maxHold': msOrZero,
  'breaker.holdOn429': boolean,
  'limit.adaptive': boolean,
  'limit.max': positive,
  'limit.queue': count,
  'limit.queueTimeout': openMs,
  'limit.bodies': positive,
  'hedge': [[[null, 'null'], [[], 'an array'], [7, '7'], ['on', "'on'"]], 'a plain object, true or false'],
  'hedge.percentile': rate,
  'hedge.minimumCalls': positive,
  'priority': [[...OBJECTS, ['high', "'high'"], [1, '1']], 'one of critical, normal, background'],
  'pool.connections': positive,
  'pool.connectTimeout': ms,
  'pool.idleTimeout': ms,
  'pool.maxIdleTimeout': ms,
  'pool.maxAge': ms,
  'pool.http2': boolean,
  'pool.tls': record,
  'pool.socketPath': [NO_TEXT, 'a non-empty string'],
  'pool.factory': callable,
  'stale.maxAge': openMs,
  'stale.maxBodySize': count,
}

describe('every option refuses what it cannot be', () => {
  test('no option is left out of the table', () => {
    const documented = optionPaths().filter(path => path !== 'url')
    deepEqual(Object.keys(WRONG).sort(), documented.sort())
  })

  for (const [path, [values, expected]] of Object.entries(WRONG)) {
    test(path, () => {
      for (const [value, shown] of values) {
        const error = refusal(nested(path, value))
        equal(error.message, `\`${path}\` must be ${expected}, got ${shown}`)
        equal(error.option, path)
        equal(error.expected, expected)
      }
    })
  }

  test('of an upstream too, and says which', () => {
    for (const [key, where] of [['payments', 'upstreams.payments'], ['https://*.x', "upstreams['https://*.x']"]] as const) {
      const error = refusal({ upstreams: { [key]: { url: 'http://p', limit: { max: 0 } } } })
      equal(error.message, `\`${where}.limit.max\` must be a positive integer, got 0`)
    }
    equal(refusal({ upstreams: { payments: 7 } }).message, '`upstreams.payments` must be a plain object, got 7')
  })

  test('the url of an upstream', () => {
    for (const [url, problem] of [
      [7, /^`upstreams\.a\.url` must be an origin or an array of origins, got 7$/], ['', /got ''$/],
      [[7], /^`upstreams\.a\.url\[0\]` must be .* got 7$/],
      [[], /a non-empty array of origins, got an empty array/], ['nonsense', /an absolute http or https URL/],
      ['ftp://h', /an http or https URL, got a URL with the scheme ftp:/], ['http://h/path', /an origin such as .*, got a URL with a path/],
      [['http://h', 'http://h?x'], /^`upstreams\.a\.url\[1\]` must be an origin/],
    ] as const) match(refusal({ upstreams: { a: { url } } }).message, problem)
  })

  test('items of a list', () => {
    equal(refusal({ retry: { methods: ['GET', 'A B'] } }).message,
      "`retry.methods[1]` must be an HTTP method name, got 'A B'")
    for (const status of [200, 399, 600, 500.5, '500']) {
      match(refusal({ retry: { statuses: [500, status] } }).message, /^`retry\.statuses\[1\]` must be an integer from 400 to 599/)
    }
    match(refusal({ allow: ['http://a', 7] }).message, /^`allow\[1\]` must be a non-empty string, got 7$/)
    match(refusal({ allow: ['payments'] }).message, /^`allow\[0\]` must be an absolute http or https URL/)
  })

  test('header fields', () => {
    equal(refusal({ headers: { 'x-a': 7 } }).message, '`headers.x-a` must be a string, got a number')
    equal(refusal({ headers: { 'x-a': ['b', null] } }).message, '`headers.x-a` must be a string, got null')
    for (const value of ['a\r\nx-b: c', 'a\0', 'a\x7f', 'a\u{1F600}\n']) {
      equal(refusal({ headers: { 'x-a': value } }).message,
        '`headers.x-a` contains control characters, which are not allowed in a header field')
    }
    for (const value of ['Dvo\u0159\u00e1k', 'a\u{1F600}']) {
      equal(refusal({ headers: { 'x-a': value } }).message, '`headers.x-a` contains characters that a header field cannot carry '
        + '(outside ISO-8859-1): encode them, e.g. with encodeURIComponent()')
    }
    for (const name of ['', 'a b', 'a:', 'a\r\nb', 'ä']) match(refusal({ headers: { [name]: 'v' } }).message, /^`headers` contains an invalid header name: a name is a token/)
    createClient({ headers: { accept: ['a', 'b'], 'x-none': undefined, 'x-latin': 'caf\u00e9' } })
  })

  test('time and chance of a test', () => {
    const { clock, random } = testEnv()
    for (const [env, option] of [
      [{}, 'env.clock.now'], [{ clock: 7, random }, 'env.clock.now'], [{ clock: { now: clock.now }, random }, 'env.clock.after'],
      [{ clock }, 'env.random'],
    ] as const) equal(refusal({ env }).message, `\`${option}\` must be a function, got undefined`)
    createClient({ env: { clock, random } })
  })

  test('the options as a whole', () => {
    for (const [options, shown] of [[null, 'null'], [7, '7'], ['x', "'x'"], [[], 'an array'], [() => 1, 'a function']] as const) {
      equal(refusal(options).message, `\`options\` must be a plain object, got ${shown}`)
    }
  })

  test('but takes what is undefined for not given', () => {
    for (const path of Object.keys(WRONG)) createClient(nested(path, undefined))
    throws(() => createClient(nested('deadline', null)), OptionError)
  })
})

test('the header that carries the deadline may not be one that frames the message', () => {
  for (const deadlineHeader of ['Host', 'content-length', 'Transfer-Encoding']) {
    throws(() => createClient({ deadlineHeader }), { message: /^`deadlineHeader` must be the name of a field that does not frame/ })
  }
})
