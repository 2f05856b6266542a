import { deepEqual, doesNotMatch, equal, match, notEqual, ok, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient, OptionError, type ClientOptions, type UpstreamOptions } from '../../src/index.ts'
import { PolicyTable } from '../../src/options/policy-table.ts'
import { closing } from '../support/check.ts'
import { echo, startServer, type Echo } from '../support/server.ts'

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
const sourceFor = (options: ClientOptions, origin: string): string => createClient(options).explain(origin).source

describe('which policy applies', () => {
  const options: ClientOptions = {
    deadline: 1_000,
    upstreams: {
      'payments': { url: 'https://pay.search.internal', deadline: 2_000 },
      'https://exact.search.internal': { deadline: 3_000 },
      'https://*': { deadline: 4_000 },
      'https://*.search.internal': { deadline: 5_000 },
      'https://*.eu.search.internal': { deadline: 6_000 },
    },
  }
  const client = createClient(options)
  const search = "upstreams['https://*.search.internal']"

  for (const [url, source, deadline] of [
    ['https://pay.search.internal/x?y', `upstreams.payments over ${search}`, 2_000],
    ['https://exact.search.internal', `upstreams['https://exact.search.internal'] over ${search}`, 3_000],
    ['HTTPS://EXACT.search.internal:443/', `upstreams['https://exact.search.internal'] over ${search}`, 3_000],
    ['https://a.search.internal', search, 5_000],
    ['https://a.b.search.internal', search, 5_000],
    ['https://a.eu.search.internal', "upstreams['https://*.eu.search.internal']", 6_000],
    ['https://search.internal', "upstreams['https://*']", 4_000],
    ['https://a.search.internal:8443', 'defaults', 1_000],
    ['http://a.search.internal', 'defaults', 1_000],
  ] as const) {
    test(`${url}: ${source}`, () => {
      const explained = client.explain(url)
      deepEqual([explained.source, explained.policy.deadline], [source, deadline])
    })
  }

  test('merges them: what a name leaves open comes from its pattern, and what that leaves open from the defaults', () => {
    const { policy } = createClient({
      deadline: 900, maxBodySize: 5,
      upstreams: {
        'search': { url: 'https://a.search.internal', redirects: 2 },
        'https://*.search.internal': { deadline: 700, redirects: 1, breaker: { probes: 2 } },
      },
    }).explain('https://a.search.internal')
    deepEqual([policy.maxBodySize, policy.deadline, policy.redirects], [5, 700, 2])
    equal(policy.breaker !== false && policy.breaker.probes, 2)
  })

  test('does not depend on the order in which upstreams are written', () => {
    const reversed = Object.fromEntries(Object.entries(options.upstreams!).reverse())
    const other = createClient({ ...options, upstreams: reversed })
    for (const host of ['a.eu.search.internal', 'a.search.internal', 'exact.search.internal', 'x']) {
      equal(other.explain(`https://${host}`).source, client.explain(`https://${host}`).source)
    }
  })
})

describe('a pattern', () => {
  const matches = (pattern: string, origin: string): boolean =>
    sourceFor({ upstreams: { [pattern]: {} } }, origin) !== 'defaults'

  test('stands for one label or more, never for a part of one', () => {
    for (const host of ['a.x.test', 'a.b.x.test', 'a_b.x.test', 'A.X.TEST', 'xn--9ca.x.test']) {
      ok(matches('https://*.x.test', `https://${host}`), host)
    }
    for (const host of ['x.test', 'ax.test', 'a.x.test.evil.example', 'x.test.evil.example', 'a.xxtest']) {
      ok(!matches('https://*.x.test', `https://${host}`), host)
    }
  })

  test('fits a port as it is written', () => {
    ok(matches('http://*.x:8080', 'http://a.x:8080') && !matches('http://*.x:8080', 'http://a.x'))
    ok(matches('http://*.x:80', 'http://a.x') && matches('https://*.x:443', 'https://a.x'))
    ok(!matches('http://*.x', 'http://a.x:8080'))
    ok(matches('http://*.x:*', 'http://a.x') && matches('http://*.x:*', 'http://a.x:8080'))
    ok(matches('http://localhost:*', 'http://localhost:3000') && !matches('http://localhost:*', 'http://localhost.evil:3000'))
    ok(matches('http://*', 'http://anything.at.all') && !matches('http://*', 'https://anything.at.all'))
  })

  test('is refused when it cannot be one', () => {
    for (const pattern of ['*', '*.x', 'https://a*.x', 'https://a.*.x', 'https://*x', 'ftp://*.x', 'https://*.x/path', 'https://*.x?']) {
      throws(() => createClient({ upstreams: { [pattern]: {} } }), (error: unknown) =>
        error instanceof OptionError && error.expected.includes('a pattern such as'), pattern)
      throws(() => createClient({ allow: [pattern] }), OptionError, pattern)
    }
    throws(() => createClient({ upstreams: { 'https://*.x': { url: 'https://a.x' } } }),
      /`upstreams\['https:\/\/\*\.x'\]\.url` must be omitted, because the key is a pattern$/)
  })
})

describe('names and origins', () => {
  test('an upstream needs an address, once', () => {
    throws(() => createClient({ upstreams: { payments: {} } }),
      /`upstreams\.payments\.url` is missing: it is required unless the key is an origin or a pattern$/)
    throws(() => createClient({ upstreams: { 'http://a': { url: 'http://b' } } }), /must be omitted, because the key is an origin$/)
    for (const upstreams of [
      { a: { url: 'http://h' }, b: { url: 'http://h:80/' } }, { 'a': { url: 'http://h' }, 'http://h': {} },
      { a: { url: ['http://h', 'http://H'] } }, { 'http://h': {}, 'http://h/': {} },
    ]) throws(() => createClient({ upstreams }), /`upstreams.*` and `upstreams.*` have the same origin, http:\/\/h$/)
  })

  test('one without a name is known by its origin, however that is written', () => {
    const client = createClient({ upstreams: { 'https://API.example.com:443/': { deadline: 7 } } })
    for (const name of ['https://api.example.com', 'https://API.example.com:443', 'https://api.example.com/']) {
      equal(client.upstream(name).snapshot().name, 'https://api.example.com')
    }
    throws(() => client.upstream('http://api.example.com'),
      /unknown upstream 'http:\/\/api\.example\.com': did you mean 'https:\/\/api\.example\.com'\?$/)
    throws(() => client.upstream('x'), /unknown upstream 'x': expected one of https:\/\/api\.example\.com$/)
    throws(() => createClient().upstream('x'), /^OptionError: unknown upstream 'x': none is configured$/)
  })
})

describe('merging', () => {
  const base: ClientOptions = {
    headers: { 'Accept': 'a', 'x-all': '1' }, retry: { limit: 1, budget: { capacity: 100 } }, breaker: { probes: 2 },
    limit: false,
  }
  const upstream: UpstreamOptions = {
    headers: { 'ACCEPT': 'b', 'x-all': undefined, 'x-own': ['c', 'd'] },
    retry: { backoff: 10, budget: { cost: 20 } }, breaker: { consecutive: 9 }, limit: { queue: 3 },
  }

  test('lays group over group, header over header, and the defaults below', () => {
    const { policy } = createClient({ ...base, upstreams: { 'http://h': upstream } }).explain('http://h')
    const { retry, breaker, limit } = policy
    ok(retry !== false && breaker !== false && limit !== false)
    deepEqual([retry.limit, retry.backoff, retry.budget], [1, 10, { capacity: 100, cost: 20, throttledCost: 5 }])
    deepEqual([breaker.probes, breaker.consecutive, breaker.failureRate], [2, 9, 0.5])
    deepEqual([limit.max, limit.queue], [256, 3], 'an object switches on what false had switched off')
    deepEqual(policy.headers, { 'accept': 'b', 'x-all': undefined, 'x-own': ['c', 'd'] })
    equal(createClient({ ...base, upstreams: { 'http://h': { retry: false } } }).explain('http://h').policy.retry, false)
  })

  test('happens once: what matches the same pattern shares one policy, frozen', () => {
    const policies = new PolicyTable({ upstreams: { 'http://*.x': {} } })
    equal(policies.forOrigin('http://a.x').policy, policies.forOrigin('http://b.x').policy)
    notEqual(policies.forOrigin('http://a.x').policy, policies.forOrigin('http://a').policy)
    const { policy } = policies.forOrigin('http://a')
    const { retry, breaker, limit, pool, headers } = policy
    ok(retry !== false && breaker !== false && limit !== false)
    for (const part of [policy, retry, retry.budget, retry.methods, retry.statuses, breaker, limit, pool, headers]) {
      ok(Object.isFrozen(part))
    }
  })

  test('is not needed for upstreams that say no more than their address: they share what they stand over', () => {
    const client = createClient({
      deadline: 700,
      upstreams: {
        'a': { url: 'http://a.plain' }, 'b': { url: 'http://b.plain' }, 'c': { url: 'http://c.plain', deadline: 900 },
        'd': { url: 'http://d.starred' }, 'http://*.starred': { deadline: 800 },
      },
    })
    const [a, b, c, d] = ['a.plain', 'b.plain', 'c.plain', 'd.starred'].map(host => client.explain(`http://${host}`).policy)
    deepEqual([a!.deadline, b!.deadline, c!.deadline, d!.deadline], [700, 700, 900, 800])
    equal(a, b)
    notEqual(a, c)
    equal(d, client.explain('http://other.starred').policy)
  })

  test('neither changes what the caller gave nor sees what becomes of it', () => {
    const given = { ...structuredClone(base), upstreams: { 'http://h': { ...structuredClone(upstream), retry: { statuses: [500] } } } }
    const before = structuredClone(given)
    createClient(deepFreeze(structuredClone(given))).configure('http://h', deepFreeze({ retry: { methods: ['post'] } }))
    const client = createClient(given)
    deepEqual(given, before)
    const then = structuredClone(client.explain('http://h').policy)
    given.upstreams['http://h'].retry.statuses.push(7)
    Object.assign(given.upstreams['http://h'], { deadline: 'never', redirects: -1 })
    deepEqual(client.explain('http://h').policy, then)
    client.configure('http://h', {})
    deepEqual(client.explain('http://h').policy, then)
  })
})

describe('options of one call', () => {
  test('stand over those of the upstream, and only for that call', async t => {
    const server = await closing(t, startServer(echo))
    const client = await closing(t, createClient({
      headers: { 'x-a': 'all', 'x-b': 'all', 'x-c': 'all' },
      upstreams: { api: { url: server.url, deadlineHeader: 'x-left', headers: { 'x-b': 'own', 'x-c': 'own' } } },
    }))
    const seen = await client.get(`${server.url}/`, { headers: { 'X-C': 'call' }, deadline: 900 }).json<Echo>()
    deepEqual([seen.headers['x-a'], seen.headers['x-b'], seen.headers['x-c']], ['all', 'own', 'call'])
    ok(Number(seen.headers['x-left']) <= 900 && Number(seen.headers['x-left']) > 0)
    const next = await client.upstream('api').get('/').json<Echo>()
    equal(next.headers['x-c'], 'own')
    ok(Number(next.headers['x-left']) > 900)
  })
})

describe('allow', () => {
  const NAMED = { payments: { url: ['http://a', 'http://b'] }, 'http://c': {}, 'http://*.d': {} }
  const allowed = (allow: NonNullable<ClientOptions['allow']>, origins: readonly string[]): string[] => {
    const policies = new PolicyTable({ allow, upstreams: NAMED })
    return origins.filter(origin => policies.allows(origin))
  }
  const origins = ['http://a', 'http://b', 'http://c', 'http://x.d', 'http://d', 'https://a', 'http://a:8080', 'http://e']

  test("'any' is the default", () => {
    deepEqual(allowed('any', origins), origins)
    ok(new PolicyTable({}).allows('http://anything'))
  })

  test("'configured' permits what is in upstreams", () => {
    deepEqual(allowed('configured', origins), ['http://a', 'http://b', 'http://c', 'http://x.d'])
  })

  test('a list permits its origins and patterns', () => {
    deepEqual(allowed(['http://E:80/', 'https://*'], origins), ['https://a', 'http://e'])
    deepEqual(allowed([], origins), [])
  })

  test('stops a call by URL before anything is sent, and lets a call by name through', async t => {
    const server = await closing(t, startServer())
    const client = await closing(t, createClient({ allow: [], upstreams: { api: { url: server.url } } }))
    const error = await client.get(`${server.url}/x?token=secret`).catch((thrown: unknown) => thrown)
    ok(error instanceof OptionError)
    match(error.message, /^origin http:\/\/127\.0\.0\.1:\d+ may not be called: the `allow` option does not permit it$/)
    doesNotMatch(error.message, /secret/)
    equal(server.hits, 0)
    equal((await client.upstream('api').get('/')).status, 200)
  })
})
