import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CircuitOpenError, createClient, LimitExceededError, OptionError, StatusError, type Client, type UpstreamOptions,
} from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { byPath, hold, json, startServer, status, type TestServer } from '../support/server.ts'

type Context = Parameters<typeof closing>[0]

interface Setting {
  readonly server: TestServer
  readonly client: Client
}

/** A client with one upstream, `api`, on a real server; nothing is retried unless the test says so. */
const setUp = async (t: Context, options: UpstreamOptions = {}): Promise<Setting> => {
  const server = await closing(t, startServer(byPath({ '/': json({ ok: true }), '/bad': status(502), '/busy': status(500) })))
  const client = await closing(t, createClient({ retry: false, upstreams: { api: { url: server.url, ...options } } }))
  return { server, client }
}
const get = (client: Client, path = '/'): Promise<number> =>
  client.upstream('api').get(path, { throwOnStatus: false }).then(reply => reply.status)
const times = async (count: number, run: () => Promise<unknown>): Promise<void> => {
  for (let done = 0; done < count; done++) await run()
}

describe('configure() retunes an upstream while it runs', () => {
  test('and keeps its connections', async t => {
    const { server, client } = await setUp(t)
    await times(3, () => get(client))
    const { accepted } = server
    client.configure('api', { deadline: 700, headers: { 'x-new': '1' }, limit: { max: 9 }, breaker: { consecutive: 9 } })
    await times(3, () => get(client))
    deepEqual([server.accepted, server.hits], [accepted, 6])
    equal(server.connections, accepted)
  })

  test('and keeps the window: what was counted counts towards the new rate', async t => {
    const { client } = await setUp(t, { breaker: { failureRate: 0.9, minimumCalls: 10 } })
    await times(8, () => get(client))
    await times(3, () => get(client, '/busy'))
    client.configure('api', { breaker: { failureRate: 0.2 } })
    const [endpoint] = client.upstream('api').snapshot().endpoints
    deepEqual([endpoint?.calls, endpoint?.circuit], [11, 'closed'])
    await get(client, '/busy')
    equal(client.upstream('api').snapshot().endpoints[0]?.circuit, 'open')
  })

  test('and keeps the window when its length changes', async t => {
    const { client } = await setUp(t, { deadline: 1_000 })
    await times(4, () => get(client, '/busy'))
    client.configure('api', { breaker: { window: 60_000 } })
    const [endpoint] = client.upstream('api').snapshot().endpoints
    deepEqual([endpoint?.calls, endpoint?.failureRate], [4, 1])
  })

  test('and keeps a circuit open', async t => {
    const { server, client } = await setUp(t, { breaker: { openTime: 30_000, probeShare: 0 } })
    await times(5, () => get(client, '/bad'))
    equal(client.upstream('api').snapshot().endpoints[0]?.circuit, 'open')
    client.configure('api', { breaker: { consecutive: 50, failureRate: 1 }, deadline: 900 })
    await rejects(get(client), CircuitOpenError)
    equal(server.hits, 5)
    client.upstream('api').restore()
    equal(await get(client), 200)
  })

  test('and keeps the budget', async t => {
    const { client } = await setUp(t, { retry: { limit: 1, backoff: 0, budget: { capacity: 100 } } })
    await get(client, '/bad')
    equal(client.upstream('api').snapshot().budget.tokens, 86)
    client.configure('api', { retry: { budget: { capacity: 200, cost: 20 } } })
    deepEqual(client.upstream('api').snapshot().budget, { tokens: 86, capacity: 200 })
    await get(client, '/bad')
    equal(client.upstream('api').snapshot().budget.tokens, 66)
    client.configure('api', { retry: { budget: { capacity: 50 } } })
    equal(client.upstream('api').snapshot().budget.tokens, 50)
  })

  test('with effect on the very next call', async t => {
    const { client } = await setUp(t)
    await rejects(client.upstream('api').get('/bad').then(), StatusError)
    client.configure('api', { throwOnStatus: false })
    equal((await client.upstream('api').get('/bad')).status, 502)
  })

  test('so that more permits let in those who wait, on more connections', async t => {
    const { server, client } = await setUp(t, { limit: { adaptive: false, max: 1, queue: 5 } })
    const gate = hold()
    server.handle(gate.handler)
    const calls = Array.from({ length: 5 }, () => get(client))
    await eventually(() => gate.waiting === 1)
    equal(client.upstream('api').snapshot().limit.queued, 4)
    client.configure('api', { limit: { max: 4 } })
    await eventually(() => gate.waiting === 4, { what: 'four calls are at the server' })
    deepEqual(client.upstream('api').snapshot().limit, { max: 4, inFlight: 4, queued: 1, bodies: 0 })
    gate.release()
    deepEqual(await Promise.all(calls), [200, 200, 200, 200, 200])
  })

  test('so that fewer permits take effect as calls end', async t => {
    const { server, client } = await setUp(t, { limit: { adaptive: false, max: 2, queue: 0 } })
    const gate = hold()
    server.handle(gate.handler)
    const calls = [get(client), get(client)]
    await eventually(() => gate.waiting === 2)
    client.configure('api', { limit: { max: 1 } })
    gate.release(1)
    await Promise.race(calls)
    await rejects(get(client), LimitExceededError)
    gate.release()
    await Promise.all(calls)
    equal(client.upstream('api').snapshot().limit.inFlight, 0)
    equal(await get(client), 200)
  })

  test('so that a breaker can be switched off and on', async t => {
    const { client } = await setUp(t, { breaker: { probeShare: 0, openTime: 30_000 } })
    await times(5, () => get(client, '/bad'))
    client.configure('api', { breaker: false })
    equal(await get(client), 200)
    equal(client.upstream('api').snapshot().endpoints[0]?.circuit, 'off')
    client.configure('api', { breaker: {} })
    equal(client.upstream('api').snapshot().endpoints[0]?.circuit, 'closed')
    await times(5, () => get(client, '/bad'))
    await rejects(get(client), CircuitOpenError)
  })

  test('while a limit is switched off and on with calls in flight, no permit is lost', async t => {
    const { server, client } = await setUp(t, { limit: { max: 2 } })
    const gate = hold()
    server.handle(gate.handler)
    const calls = [get(client)]
    await eventually(() => gate.waiting === 1)
    client.configure('api', { limit: false })
    calls.push(get(client), get(client))
    await eventually(() => gate.waiting === 3)
    client.configure('api', { limit: { max: 2 } })
    gate.release()
    await Promise.all(calls)
    const { inFlight, max } = client.upstream('api').snapshot().limit
    deepEqual([inFlight, max], [0, 2])
  })
})

describe('what configure() lays over what', () => {
  const policyAfter = (first: UpstreamOptions, ...later: UpstreamOptions[]): ReturnType<Client['explain']>['policy'] => {
    const client = createClient({ upstreams: { api: { url: 'http://h', ...first } } })
    for (const options of later) client.configure('api', options)
    return client.explain('http://h').policy
  }

  test('each call over the ones before, group by group', () => {
    const { breaker, retry, deadline } = policyAfter(
      { deadline: 5_000, breaker: { probes: 2 }, retry: { budget: { capacity: 90 } } },
      { breaker: { consecutive: 7 }, retry: { budget: { cost: 9 } } },
      { breaker: { probes: 4 }, retry: { limit: 1, budget: { throttledCost: 8 } } },
    )
    ok(breaker !== false && retry !== false)
    deepEqual([deadline, breaker.probes, breaker.consecutive, retry.limit], [5_000, 4, 7, 1])
    deepEqual(retry.budget, { capacity: 90, cost: 9, throttledCost: 8 })
  })

  test('header names are the same in any case, and an undefined value takes a header out', () => {
    const { headers } = policyAfter(
      { headers: { 'X-A': '1', 'x-b': '1' } }, { headers: { 'x-a': '2' } }, { headers: { 'X-A': '3', 'X-B': undefined } },
    )
    deepEqual([headers['x-a'], headers['x-b']], ['3', undefined])
  })

  test('what is undefined stays as it was', () => {
    const given = { deadline: undefined, retry: { limit: undefined, budget: { cost: undefined } } } as unknown as UpstreamOptions
    deepEqual(policyAfter({ deadline: 70, retry: { limit: 2, budget: { cost: 3 } } }, given),
      policyAfter({ deadline: 70, retry: { limit: 2, budget: { cost: 3 } } }))
  })
})

describe('configure() takes all or nothing', () => {
  test('and says what was wrong', () => {
    const client = createClient({ upstreams: { api: { url: 'http://h', deadline: 800 }, 'http://o': {} } })
    const before = client.explain('http://h')
    for (const [options, message] of [
      [{ redirects: 3, deadline: 0 }, '`upstreams.api.deadline` must be a number of ms from 1 to 2147483647, got 0'],
      [{ redirects: 3, attemptTimeout: 801 }, '`upstreams.api.attemptTimeout` must be at most the deadline (800 ms), got 801'],
      [{ redirects: 3, breaker: { window: 1_599 } },
        '`upstreams.api.breaker.window` must be at least 1600 ms, twice the attempt timeout, got 1599'],
      [{ redirects: 3, pool: { connections: 9 } }, '`upstreams.api.pool` cannot be changed at runtime'],
      [{ redirects: 3, url: 'http://elsewhere' }, '`upstreams.api.url` cannot be changed at runtime'],
    ] as const) {
      throws(() => client.configure('api', options as UpstreamOptions), (error: unknown) =>
        error instanceof OptionError && error.message === message, message)
      deepEqual(client.explain('http://h'), before)
    }
    throws(() => client.configure('http://O', { deadline: -1 }), /^OptionError: `upstreams\['http:\/\/o'\]\.deadline` must be/)
    throws(() => client.configure('nobody', {}), /^OptionError: unknown upstream 'nobody': expected one of api, http:\/\/o$/)
    throws(() => client.configure('api', null as unknown as UpstreamOptions), /`upstreams\.api` must be a plain object, got null/)
  })

  test('and names the option and its source the same however often, over a pattern too', () => {
    const client = createClient({ upstreams: { 'api': { url: 'https://a.x' }, 'https://*.x': { redirects: 1 } } })
    const { source } = client.explain('https://a.x')
    equal(source, "upstreams.api over upstreams['https://*.x']")
    for (const deadline of [700, 600]) client.configure('api', { deadline })
    const after = client.explain('https://a.x')
    deepEqual([after.source, after.policy.deadline, after.policy.redirects], [source, 600, 1])
    throws(() => client.configure('api', { deadline: 0 }), /^OptionError: `upstreams\.api\.deadline` must be /)
  })
})
