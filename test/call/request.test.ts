import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { OptionError, type CallOptions } from '../../src/index.ts'
import { requestOf as makeRequest, within, withOptions, withQuery, type Request } from '../../src/call/request.ts'
import { polluted } from '../support/polluted.ts'

const TARGET = { origin: 'http://a.test', target: '/' }
const requestOf = (method: string, options: CallOptions | undefined): Request => makeRequest(method, TARGET, options, false)

const refusal = (options: unknown, method = 'POST'): OptionError => {
  try {
    requestOf(method, options as CallOptions)
  } catch (error) {
    ok(error instanceof OptionError, `${String(error)} is no OptionError`)
    return error
  }
  throw new Error(`nothing was thrown for ${inspect(options)}`)
}
const headersOf = (options: CallOptions): unknown => requestOf('POST', options).headers

describe('the method', () => {
  for (const [given, method] of [
    ['GET', 'GET'], ['get', 'GET'], ['Patch', 'PATCH'], ['PROPFIND', 'PROPFIND'], ['m-search', 'M-SEARCH'],
  ] as const) {
    test(`${given} is ${method}`, () => equal(requestOf(given, undefined).method, method))
  }
  for (const given of ['', 'A B', 'GET\r\nX: y', 'GET /', 'CONNECT', 'connect', 'GÉT', 7, null, undefined]) {
    test(`${JSON.stringify(given)} is refused`, () => {
      throws(() => requestOf(given as string, undefined), (error: unknown) => error instanceof OptionError
        && error.option === 'method' && !/[\r\n]/.test(error.message))
    })
  }
})

describe('options of one call refuse what they cannot be', () => {
  const controller = new AbortController()
  for (const [options, message] of [
    [{ timeout: 7 }, 'unknown option `timeout`: expected one of query, headers, json, body, signal, idempotencyKey, decode, '
      + 'deadline, attemptTimeout, throwOnStatus, maxBodySize, redirects, priority, fallback, retry, hedge, coalesce, stale'],
    [{ deadlin: 7 }, 'unknown option `deadlin`: did you mean `deadline`?'],
    [JSON.parse('{"__proto__":{"deadline":7}}'), /^unknown option `__proto__`: expected one of /],
    [{ deadline: 0 }, '`deadline` must be a number of ms from 1 to 2147483647, got 0'],
    [{ attemptTimeout: '1s' }, "`attemptTimeout` must be a number of ms from 1 to 2147483647, got '1s'"],
    [{ maxBodySize: -1 }, '`maxBodySize` must be a non-negative integer, got -1'],
    [{ redirects: 21 }, '`redirects` must be an integer from 0 to 20, got 21'],
    [{ throwOnStatus: 'no' }, "`throwOnStatus` must be true or false, got 'no'"],
    [{ signal: controller }, '`signal` must be an AbortSignal, got an AbortController'],
    [{ coalesce: true }, '`coalesce` must be false (a call can only switch it off), got true'],
    [{ stale: {} }, '`stale` must be false (a call can only switch it off), got an object'],
    [{ fallback: true }, '`fallback` must be a function or false, got true'],
    [{ retry: true }, '`retry` must be a plain object or false, got true'],
    [{ retry: { limit: 101 } }, '`retry.limit` must be an integer from 0 to 100, got 101'],
    [{ retry: { backoff: 5 } }, 'unknown option `retry.backoff`: expected one of limit, methods, statuses'],
    [{ retry: { limits: 5 } }, 'unknown option `retry.limits`: did you mean `retry.limit`?'],
    [{ idempotencyKey: '' }, "`idempotencyKey` must be a non-empty string, got ''"],
    [{ idempotencyKey: 7 }, '`idempotencyKey` must be a string, got a number'],
    [{ idempotencyKey: 'a\r\nx: y' }, '`idempotencyKey` contains control characters, which are not allowed in a header field'],
    [{ query: 7 }, '`query` must be a plain object, a URLSearchParams object or a string, got a number'],
    [{ query: new Map([['a', 'b']]) }, '`query` must be a plain object, a URLSearchParams object or a string, got a Map'],
    [{ headers: 'a: b' }, '`headers` must be a plain object of header fields, got a string'],
    [{ headers: null }, '`headers` must be a plain object of header fields, got null'],
    [{ headers: { a: 7 } }, '`headers.a` must be a string, got a number'],
    [{ headers: { a: 'b\nc: d' } }, '`headers.a` contains control characters, which are not allowed in a header field'],
    [{ headers: { a: '\u0159' } }, /^`headers\.a` contains characters that a header field cannot carry/],
    [{ headers: ['a', 'b'] }, '`headers[0]` must be a pair of a name and a value, got a string'],
    [{ headers: [['a', 'b'], ['a', 'b', 'c']] }, '`headers[1]` must be a pair of a name and a value, got an array'],
    [{ headers: [[7, 'b']] }, '`headers[0][0]` must be a header name, got a number'],
    [{ headers: [['a b', 'c']] }, /^`headers` contains an invalid header name: a name is a token/],
    [{ body: { a: 1 } }, '`body` must be a string, bytes, a stream or an async iterable, or a function that returns one '
      + '(send objects as `json`), got an object'],
    [{ body: 7 }, /^`body` must be .* got a number$/],
    [{ body: new ArrayBuffer(1) }, /^`body` must be .* got an ArrayBuffer$/],
    [{ body: new FormData() }, /^`body` must be .* got a FormData$/],
    [{ body: null }, /^`body` must be .* got null$/],
    [{ json: {}, body: 'x' }, '`body` and `json` are mutually exclusive'],
    [{ json: () => 1 }, '`json` must be a value that JSON can represent, got a function'],
    [{ json: 7n }, '`json` cannot be serialized as JSON: TypeError'],
    [null, '`options` must be a plain object, got null'],
    ['x', "`options` must be a plain object, got 'x'"],
    [new Headers({ a: 'b' }), '`options` must be a plain object, got a Headers object'],
  ] as const) {
    test(inspect(options, { breakLength: Infinity }).slice(0, 60), () => {
      const error = refusal(options)
      if (typeof message === 'string') equal(error.message, message)
      else ok(message.test(error.message), error.message)
    })
  }

  test('and never show what they carry', () => {
    const secret = 'hunter2'
    for (const options of [
      { json: {}, body: secret }, { headers: secret }, { headers: [[secret]] }, { headers: { authorization: `${secret}\n` } },
      { idempotencyKey: `${secret}\n` }, { query: { key: { secret } } }, { body: [secret] }, { json: Symbol(secret) },
    ]) {
      const error = catching(() => withQuery('/', (options as { query: Record<string, string> }).query)) ?? refusal(options)
      ok(!inspect(error).includes(secret), inspect(error))
    }
  })

  test('are not read off Object.prototype, where other code has put them', () => {
    const inherited = { deadline: 'x', json: {}, body: 'b', headers: { a: '7' }, query: 'q', idempotencyKey: 'k', redirects: 3 }
    for (const options of [undefined, {}, { priority: 'critical' }] as const) {
      polluted(inherited, () => {
        const request = requestOf('POST', options)
        deepEqual([request.target, request.headers, request.body], ['/', undefined, undefined])
        for (const changed of [request, within(request, 5), withOptions(request, { decode: false })]) {
          deepEqual([changed.options.redirects, changed.options.idempotencyKey], [undefined, undefined])
        }
      })
    }
  })

  test('read own properties alone, and change nothing', () => {
    const inherited = Object.create({ deadline: 'x', json: {}, body: 'b', headers: { a: 7 }, query: 'q' }) as CallOptions
    const { options, ...request } = requestOf('POST', inherited)
    deepEqual(request, { ...TARGET, method: 'POST', streamed: false, headers: undefined, body: undefined })
    deepEqual({ ...options }, {})
    const bare = Object.assign(Object.create(null) as object, { deadline: 7 })
    equal(requestOf('POST', bare).options.deadline, 7)
    const given = Object.freeze({ headers: Object.freeze({ A: '1' }), json: Object.freeze({ a: 1 }), idempotencyKey: 'k' })
    requestOf('POST', given)
    deepEqual(given, { headers: { A: '1' }, json: { a: 1 }, idempotencyKey: 'k' })
  })
})

describe('headers and body', () => {
  test('names are lower case, whatever holds them', () => {
    const expected = { 'x-a': '1', 'accept': ['b', 'c'] }
    deepEqual(headersOf({ headers: { 'X-A': '1', 'ACCEPT': ['b', 'c'] } }), expected)
    deepEqual(headersOf({ headers: [['X-A', '1'], ['Accept', 'b'], ['accept', 'c']] }), expected)
    deepEqual(headersOf({ headers: new Map([['X-A', '1']]) }), { 'x-a': '1' })
    deepEqual(headersOf({ headers: new Headers({ 'X-A': '1' }) }), { 'x-a': '1' })
    deepEqual(headersOf({ headers: [['__proto__', 'a'], ['x', 'b']] }), JSON.parse('{"__proto__":"a","x":"b"}'))
  })

  test('an idempotency key is a header of its own', () => {
    deepEqual(headersOf({ idempotencyKey: 'k', headers: { 'Idempotency-Key': 'other' } }), { 'idempotency-key': 'k' })
  })

  test('json brings its content type, unless the caller has one', () => {
    for (const [json, body] of [[{ a: 1 }, '{"a":1}'], [null, 'null'], [0, '0'], ['', '""'], [[], '[]']] as const) {
      const request = requestOf('POST', { json })
      deepEqual([request.body, request.headers], [body, { 'content-type': 'application/json' }])
    }
    const own = { 'content-type': 'application/ld+json' }
    deepEqual(headersOf({ json: 1, headers: { 'Content-Type': own['content-type'] } }), own)
    const none = requestOf('POST', { json: undefined, body: 'x' })
    deepEqual([none.body, none.headers], ['x', undefined])
  })

  test('a body of any kind is passed on as it is', () => {
    const bodies = ['text', '', Buffer.from('b'), new Uint8Array(1), Readable.from(['x']), (): string => 'made', lines()]
    for (const body of bodies) equal(requestOf('POST', { body }).body, body)
  })
})

describe('the query', () => {
  for (const [target, query, expected] of [
    ['/', 'a=1', '/?a=1'], ['/', '?a=1', '/?a=1'], ['/?b', 'a=1', '/?b&a=1'], ['/', '', '/'], ['/', '?', '/'],
    ['/', 'a b#c"<>', '/?a%20b%23c%22%3C%3E'], ['/', 'ü=%zz', '/?%C3%BC=%zz'], ['/', 'a\r\nb', '/?ab'], ['/', '??a', '/??a'],
    ['/', new URLSearchParams('x=1&x=2'), '/?x=1&x=2'],
    ['/', { a: 1, b: true, c: 'x y', d: undefined, e: [1, 'z'], f: [] }, '/?a=1&b=true&c=x+y&e=1&e=z'],
    ['/', { 'a&b': '#?/' }, '/?a%26b=%23%3F%2F'], ['/', {}, '/'], ['/p?q', { d: undefined }, '/p?q'],
  ] as const) {
    test(`${target} with ${inspect(query, { breakLength: Infinity })}`, () => equal(withQuery(target, query), expected))
  }

  test('refuses a value that is none, by the name it has', () => {
    for (const [value, kind] of [[{}, 'an object'], [null, 'null'], [[[]], 'an array'], [7n, 'a bigint']] as const) {
      throws(() => withQuery('/', { a: value } as never), (error: unknown) => error instanceof OptionError
        && error.message === `\`query.a\` must be a string, a number, a boolean or an array of them, got ${kind}`)
    }
  })

  test('whatever is in it, it stays the query of its own target', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean())
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.dictionary(fc.string(), value)), query => {
      const url = new URL(withQuery('/p', query), 'http://h')
      equal(url.origin + url.pathname + url.hash, 'http://h/p')
      ok(/^[!-~]*$/.test(withQuery('/p', query)), 'fit for a request line')
      if (typeof query === 'object') {
        deepEqual([...url.searchParams.keys()], Object.keys(query))
      }
    }))
  })
})

function catching(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error instanceof OptionError ? error : undefined
  }
}

async function* lines(): AsyncGenerator<string> {
  yield 'line'
}
