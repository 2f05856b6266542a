import { deepEqual, doesNotThrow, equal, match, ok } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { inspect } from 'node:util'
import { createClient, OptionError, type ClientOptions, type Policy, type UpstreamOptions } from '../../src/index.ts'
import { polluted } from '../support/polluted.ts'

const refusal = (options: unknown): OptionError => {
  try {
    createClient(options as ClientOptions)
  } catch (error) {
    ok(error instanceof OptionError, `${String(error)} is no OptionError`)
    return error
  }
  throw new Error(`nothing was thrown for ${inspect(options)}`)
}
const policyOf = (options: ClientOptions, url = 'http://h'): Policy => createClient(options).explain(url).policy

describe('an unknown option', () => {
  test('is refused at every level, with those there are', () => {
    for (const [options, where, known] of [
      [{ timeout: 5 }, 'timeout', 'deadline'],
      [{ retry: { retries: 5 } }, 'retry.retries', 'limit, methods'],
      [{ retry: { budget: { floor: 1 } } }, 'retry.budget.floor', 'capacity, cost, throttledCost'],
      [{ breaker: { threshold: 5 } }, 'breaker.threshold', 'failureRate'],
      [{ limit: { maximum: 5 } }, 'limit.maximum', 'max, queue, queueTimeout'],
      [{ pool: { pipelining: 5 } }, 'pool.pipelining', 'connections'],
      [{ upstreams: { a: { url: 'http://a', allow: [] } } }, 'upstreams.a.allow', 'url'],
      [{ upstreams: { a: { url: 'http://a', retry: { retries: 5 } } } }, 'upstreams.a.retry.retries', 'limit'],
      [{ url: 'http://a' }, 'url', 'deadline'],
    ] as const) {
      const error = refusal(options)
      equal(error.option, where)
      ok(error.message.startsWith(`unknown option \`${where}\`: expected one of `), error.message)
      ok(error.message.includes(known) && error.given === 'an unknown option' && error.expected.includes(known), error.message)
    }
  })

  test('is refused with the one that was probably meant', () => {
    for (const [options, sentence] of [
      [{ deadlin: 5 }, 'unknown option `deadlin`: did you mean `deadline`?'],
      [{ DeadLine: 5 }, 'unknown option `DeadLine`: did you mean `deadline`?'],
      [{ retyr: {} }, 'unknown option `retyr`: did you mean `retry`?'],
      [{ breaker: { failureRatio: 5 } }, 'unknown option `breaker.failureRatio`: did you mean `breaker.failureRate`?'],
      [{ upstreams: { a: { url: 'http://a', prioritty: 'critical' } } },
        'unknown option `upstreams.a.prioritty`: did you mean `upstreams.a.priority`?'],
    ] as const) equal(refusal(options).message, sentence)
  })

  test('is not shown when it is no name', () => {
    const error = refusal({ retry: { 'a\nb': 1 } })
    deepEqual([error.option, error.message], ['retry.…', `unknown option \`retry.…\`: expected ${error.expected}`])
    equal(refusal({ ['x'.repeat(41)]: 1 }).option, '…')
  })

  test('is refused when it hides behind the name of something inherited', () => {
    for (const json of ['{"__proto__":{"deadline":1}}', '{"constructor":1}', '{"toString":1}', '{"hasOwnProperty":1}']) {
      const key = json.split('"')[1]!
      equal(refusal(JSON.parse(json)).option, key)
      equal(refusal({ breaker: JSON.parse(json) as unknown }).option, `breaker.${key}`)
      equal(refusal({ upstreams: { a: JSON.parse(json) as unknown } }).option, `upstreams.a.${key}`)
    }
    equal(({} as { deadline?: number }).deadline, undefined)
  })
})

describe('what hangs on a prototype', () => {
  const under = (prototype: object, own: object = {}): ClientOptions =>
    Object.assign(Object.create(prototype) as object, own)

  test('is never read, right or wrong', () => {
    for (const prototype of [
      { deadline: 7 }, { deadline: 'soon' }, { retry: false }, { headers: { a: 'b' } }, { allow: 'configured' },
      { upstreams: { a: { url: 'http://h' } } }, { env: {} }, { maxUpstreams: -1 }, { idleTimeout: 'x' },
    ]) deepEqual(policyOf(under(prototype)), policyOf({}), inspect(prototype))
    equal(createClient(under({ allow: 'configured' })).explain('http://h').allowed, true)
    equal(createClient(under({ upstreams: { a: { url: 'http://h' } } })).explain('http://h').source, 'defaults')
  })

  test('of a group or an upstream is not either', () => {
    deepEqual(policyOf({ retry: under({ limit: 9, budget: { capacity: 1 } }) as never }), policyOf({}))
    deepEqual(policyOf({ retry: { budget: under({ cost: 9 }) as never } }), policyOf({}))
    const own = policyOf({ upstreams: { 'http://h': under({ deadline: 7, url: 'http://elsewhere' }, { redirects: 3 }) } })
    deepEqual([own.deadline, own.redirects], [10_000, 3])
  })

  test('of every object is not either, where other code has put it there', () => {
    const expected = { ...policyOf({ retry: { limit: 1 }, stale: true }) }
    for (const [name, value] of Object.entries({
      deadline: 7, headers: { 'x-a': 'b' }, retry: false, breaker: false, pool: { tls: { rejectUnauthorized: false } }, limit: 7,
      budget: { capacity: 99 }, tls: { rejectUnauthorized: false }, factory: () => 7, socketPath: '/x', maxAge: 7, stale: false,
      upstreams: { a: { url: 'http://h', deadline: 7 } }, url: 'http://elsewhere', backoff: 7, hedge: true,
    })) {
      const { policy, source } = polluted({ [name]: value }, () =>
        createClient({ retry: { limit: 1 }, stale: true }).explain('http://h'))
      deepEqual(policy, expected, name)
      equal(source, 'defaults')
    }
    const read = polluted({ tls: { rejectUnauthorized: false } }, () => expected.pool.tls)
    equal(read, undefined)
  })

  test('does not matter for options without one', () => {
    equal(policyOf(under(Object.create(null) as object, { deadline: 7 })).deadline, 7)
  })

  test('is not what a header or an upstream called __proto__ changes', () => {
    const headers = JSON.parse('{"__proto__":["a"],"x-b":"c"}') as NonNullable<UpstreamOptions['headers']>
    const policy = policyOf({ headers })
    equal(Object.getPrototypeOf(policy.headers), Object.prototype)
    equal(policy.headers['x-b'], 'c')
    const client = createClient(JSON.parse('{"upstreams":{"__proto__":{"url":"http://h","deadline":7}}}') as ClientOptions)
    equal(client.upstream('__proto__').snapshot().name, '__proto__')
    equal(client.explain('http://h').policy.deadline, 7)
  })
})

describe('what would be read as an empty object', () => {
  test('is refused', () => {
    for (const [options, sentence] of [
      [{ headers: new Headers({ accept: 'x' }) }, '`headers` must be a plain object of header fields, got a Headers object'],
      [{ headers: new Map([['authorization', 'x']]) }, '`headers` must be a plain object of header fields, got a Map'],
      [{ upstreams: new Map() }, '`upstreams` must be a plain object, got a Map'],
      [{ breaker: new Map() }, '`breaker` must be a plain object or false, got a Map'],
      [{ retry: Promise.resolve() }, '`retry` must be a plain object or false, got a Promise'],
      [{ retry: { budget: new Set() } }, '`retry.budget` must be a plain object, got a Set'],
      [{ stale: new Date() }, '`stale` must be a plain object, true or false, got a Date'],
      [{ upstreams: { a: new URLSearchParams() } }, '`upstreams.a` must be a plain object, got a URLSearchParams object'],
      [new Map(), '`options` must be a plain object, got a Map'],
    ] as const) equal(refusal(options).message, sentence)
  })

  test('is not what a class has as properties, nor a module', async () => {
    class Options { readonly deadline = 7 }
    equal(policyOf(new Options()).deadline, 7)
    const load = (source: string): Promise<object> => import(`data:text/javascript,${source}`) as Promise<object>
    equal(policyOf(await load('export const deadline = 7')).deadline, 7)
    equal(policyOf({ retry: await load('export {}') }).deadline, 10_000)
  })
})

describe('the options of TLS', () => {
  const wrong = (tls: unknown, pool: object = {}): string => refusal({ pool: { tls, ...pool } }).message
  const PEM = 'must be PEM text (-----BEGIN …) or bytes; a path is not read'

  test('are refused when they do not exist, or cannot be', () => {
    for (const [tls, sentence] of [
      [{ cafile: '/etc/ca.pem' }, /^unknown option `pool\.tls\.cafile`: expected one of ca, cert, key, /],
      [{ serverName: 'x' }, 'unknown option `pool.tls.serverName`: did you mean `pool.tls.servername`?'],
      [{ ca: '/etc/ca.pem' }, `\`pool.tls.ca\` ${PEM}, got a string`],
      [{ ca: ['-----BEGIN CERTIFICATE-----', '/etc/ca.pem'] }, `\`pool.tls.ca\` ${PEM}, got a string`],
      [{ cert: {} }, `\`pool.tls.cert\` ${PEM}, got an object`],
      [{ key: { pem: 'hunter2' } }, `\`pool.tls.key\` ${PEM}, got an object`],
      [{ pfx: '/etc/client.p12' }, '`pool.tls.pfx` must be the bytes of a PKCS#12 file; a path is not read, got a string'],
      [{ passphrase: 7 }, '`pool.tls.passphrase` must be a string, got a number'],
      [{ rejectUnauthorized: 'false' }, "`pool.tls.rejectUnauthorized` must be true or false, got 'false'"],
      [{ minVersion: 'TLS1.2' }, "`pool.tls.minVersion` must be one of TLSv1.3, TLSv1.2, TLSv1.1, TLSv1, got 'TLS1.2'"],
      [{ checkServerIdentity: true }, '`pool.tls.checkServerIdentity` must be a function, got true'],
      [{ secureContext: 7 }, '`pool.tls.secureContext` must be what tls.createSecureContext() returns, got a number'],
      [{ session: 'x' }, '`pool.tls.session` must be bytes, got a string'],
    ] as const) {
      const message = wrong(tls)
      if (typeof sentence === 'string') equal(message, sentence)
      else match(message, sentence)
    }
  })

  test('have no place beside a factory, which has its own', () => {
    const factory = (): never => { throw new Error('never') }
    equal(wrong({}, { factory }), '`pool.tls` has no effect with `pool.factory`: set it in the dispatcher that the factory makes')
    const { option, message } = refusal({ upstreams: { a: { url: 'http://a', pool: { socketPath: '/x', factory } } } })
    equal(option, 'upstreams.a.pool.socketPath')
    match(message, /^`upstreams\.a\.pool\.socketPath` has no effect with `upstreams\.a\.pool\.factory`: /)
    doesNotThrow(() => createClient({ pool: { tls: undefined, socketPath: undefined, factory } as never }))
  })

  test('are taken in every form that node:tls takes', () => {
    const pem = '-----BEGIN CERTIFICATE-----'
    doesNotThrow(() => createClient({
      pool: {
        tls: {
          ca: [pem, Buffer.from(pem)], cert: pem, key: [{ pem }, pem, Buffer.from(pem)], crl: Buffer.from(pem),
          pfx: [Buffer.from('x'), { buf: Buffer.from('x'), passphrase: 'p' }], passphrase: '', servername: 'x',
          minVersion: 'TLSv1.2', checkServerIdentity: () => undefined, secureContext: createSecureContext(),
          session: Buffer.from('x'), keepAlive: false,
        },
      },
    }))
  })
})

describe('options that contradict each other', () => {
  const TRAPS: readonly (readonly [options: ClientOptions, option: string, rest: string])[] = [
    [{ attemptTimeout: 11_000 }, 'attemptTimeout', 'at most the deadline (10000 ms), got 11000'],
    [{ deadline: 500, attemptTimeout: 501 }, 'attemptTimeout', 'at most the deadline (500 ms), got 501'],
    [{ deadline: 2_000, breaker: { window: 3_999 } }, 'breaker.window', 'at least 4000 ms, twice the attempt timeout, got 3999'],
    [{ breaker: { window: 5_000 } }, 'breaker.window', 'at least 20000 ms, twice the attempt timeout, got 5000'],
    [{ deadline: 500, breaker: { probeTimeout: 501 } }, 'breaker.probeTimeout', 'at most the attempt timeout (500 ms), got 501'],
    [{ breaker: { openTime: 2_000, maxOpenTime: 1_999 } }, 'breaker.openTime', 'at most maxOpenTime (1999 ms), got 2000'],
    [{ deadline: 500, breaker: { slowCallDuration: 501 } }, 'breaker.slowCallDuration',
      'at most the deadline (500 ms), or Infinity, got 501'],
    [{ retry: { budget: { capacity: 13 } } }, 'retry.budget.capacity',
      'at least 14, the cost of one retry (use `retry: false` for no retries), got 13'],
    [{ retry: { budget: { throttledCost: 501 } } }, 'retry.budget.capacity',
      'at least 501, the cost of one retry (use `retry: false` for no retries), got 500'],
    [{ retry: { backoff: 2_000, maxBackoff: 1_999 } }, 'retry.backoff', 'at most maxBackoff (1999 ms), got 2000'],
    [{ retry: { throttledBackoff: 9, maxBackoff: 8 } }, 'retry.throttledBackoff', 'at most maxBackoff (8 ms), got 9'],
    [{ deadline: 500, pool: { connectTimeout: 501 } }, 'pool.connectTimeout', 'at most the attempt timeout (500 ms), got 501'],
    [{ pool: { idleTimeout: 10, maxIdleTimeout: 9 } }, 'pool.idleTimeout', 'at most maxIdleTimeout (9 ms), got 10'],
  ]

  for (const [options, option, rest] of TRAPS) {
    test(`${option}: ${rest}`, () => {
      equal(refusal(options).message, `\`${option}\` must be ${rest}`)
      const { deadline = 10_000, ...group } = options
      const upstream = { url: 'http://h', ...group }
      equal(refusal({ deadline, upstreams: { a: upstream } }).message, `\`upstreams.a.${option}\` must be ${rest}`)
    })
  }

  test('are found when only the upstream and what is set for all do so together', () => {
    equal(refusal({ attemptTimeout: 900, upstreams: { 'https://*.search.internal': { deadline: 800 } } }).message,
      "`upstreams['https://*.search.internal'].attemptTimeout` must be at most the deadline (800 ms), got 900")
  })

  test('are no contradiction at the very edge', () => {
    doesNotThrow(() => createClient({
      deadline: 500, attemptTimeout: 500, breaker: { window: 1_000, probeTimeout: 500, slowCallDuration: 500, probes: 1 },
      pool: { connectTimeout: 500 }, retry: { budget: { capacity: 14 } },
    }))
  })
})

describe('the defaults fit what is given', () => {
  for (const deadline of [1, 50, 500, 10_000, 120_000, 2 ** 31 - 1]) {
    test(`a deadline of ${deadline} ms alone is fine and sensible`, () => {
      const policy = policyOf({ deadline })
      const { attemptTimeout, breaker, limit, pool, retry } = policy
      ok(breaker !== false && limit !== false && retry !== false)
      deepEqual([policy.deadline, attemptTimeout, limit.queueTimeout], [deadline, deadline, deadline])
      equal(breaker.window, Math.max(10_000, 2 * deadline))
      equal(breaker.probeTimeout, Math.min(5_000, deadline))
      equal(pool.connectTimeout, Math.min(2_000, deadline))
      equal(pool.connections, Infinity)
    })
  }

  test('one end of a range moves the other', () => {
    const { breaker, pool, retry, limit } = policyOf({
      breaker: { openTime: 60_000 }, pool: { maxIdleTimeout: 1_000, connections: 8 }, retry: { maxBackoff: 30 },
    })
    ok(breaker !== false && retry !== false && limit !== false)
    deepEqual([breaker.openTime, breaker.maxOpenTime], [60_000, 60_000])
    deepEqual([pool.idleTimeout, pool.maxIdleTimeout], [1_000, 1_000])
    deepEqual([retry.backoff, retry.throttledBackoff, retry.maxBackoff], [30, 30, 30])
    equal(limit.max, 8, 'a call beyond the connections would wait where its time runs already')
    const other = policyOf({ breaker: { maxOpenTime: 500 }, pool: { idleTimeout: 60_000 }, retry: { backoff: 30_000 } })
    ok(other.breaker !== false && other.retry !== false)
    deepEqual([other.breaker.openTime, other.pool.maxIdleTimeout, other.retry.maxBackoff], [500, 60_000, 30_000])
    const http2 = policyOf({ pool: { connections: 1, http2: true } }).limit
    equal(http2 !== false && http2.max, 256)
  })
})

describe('nothing secret is in an error', () => {
  const secret = 'hunter2'
  const url = `http://user:${secret}@h`
  for (const [what, options] of Object.entries({
    'a header that is none': { headers: `authorization: ${secret}` },
    'a header with a line break': { headers: { authorization: `${secret}\r\n` } },
    'a header that is an object': { headers: { authorization: { secret } } },
    'headers as an array': { headers: [secret] },
    'a url with credentials': { upstreams: { a: { url } } },
    'a broken url with credentials': { upstreams: { a: { url: `http://user:${secret}@` } } },
    'an origin with credentials': { upstreams: { [url]: {} } },
    'an origin with credentials and an error in it': { upstreams: { [url]: { deadline: 0 } } },
    'a pattern with credentials': { upstreams: { [`http://user:${secret}@*.h`]: {} } },
    'a pattern with a url': { upstreams: { 'http://*.h': { url } } },
    'an origin with a url': { upstreams: { 'http://h': { url } } },
    'a url with a query': { upstreams: { a: { url: `http://h?key=${secret}` } } },
    'a url where a list should be': { allow: url },
    'an item of that list': { allow: [url, 'http://b'] },
    'a key where tls options should be': { pool: { tls: secret } },
    'a socket path in an array': { pool: { socketPath: [secret] } },
  })) {
    test(what, () => {
      const error = refusal(options)
      const seen = [error.message, error.option, error.expected, String(error.stack), JSON.stringify(error), inspect(error)]
      for (const text of seen) ok(!text.includes(secret), text)
    })
  }

  test('nor in one about the name of an upstream', () => {
    const client = createClient()
    for (const ask of [() => client.upstream(url), () => client.configure(url, {}), () => client.explain(url)]) {
      try {
        ask()
      } catch (error) {
        ok(error instanceof OptionError && !inspect(error).includes(secret), String(error))
        continue
      }
      throw new Error('nothing was thrown')
    }
  })
})
