import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { buildConnector, MockAgent, ProxyAgent } from 'undici'
import {
  AttemptTimeoutError, ConnectionError, createClient, StatusError, UpstreamError, type Client, type Reply,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { TrackedConnector } from '../../src/transport/connector.ts'
import { closing, eventually, inTime, settle } from '../support/check.ts'
import { createTestClock } from '../support/clock.ts'
import { failure } from '../support/failure.ts'
import { goAway, refuseStream, resetStream } from '../support/h2-faults.ts'
import * as hostile from '../support/hostile.ts'
import { echo, hold, startServer, tls, type Echo, type ServerOptions, type TestServer } from '../support/server.ts'
import { assertExact, timed } from '../support/timing.ts'

const start = async (t: TestContext, server: ServerOptions, options: ClientOptions = {}): Promise<[TestServer, Client]> =>
  [await closing(t, startServer(server)), await closing(t, createClient(options))]
const secure = { tls: { ca: tls.cert } }
const h2 = { pool: { ...secure, http2: true } }

suite('connections', () => {
  test('are kept and used again', async t => {
    const [server, client] = await start(t, {})
    for (let i = 0; i < 10; i++) await client.post(server.url, { json: i })
    // One that has just served a call is looked at for a moment before it serves the next.
    ok(server.hits === 10 && server.accepted <= 2, `${server.accepted}`)
  })

  test('are closed when they have idled, and retired when they are old', async t => {
    const [server, client] = await start(t, { keepAliveTimeout: 60_000 }, { pool: { idleTimeout: 100, maxIdleTimeout: 150 } })
    await client.get(server.url)
    await eventually(() => server.connections === 0, { what: 'the hint of a minute is not believed' })
    const [again, old] = await start(t, {}, { pool: { maxAge: 1 } })
    await old.get(again.url)
    await eventually(async () => {
      await old.get(again.url)
      return again.accepted > 1
    })
    await eventually(() => again.connections <= 1)
  })

  const bounds: [string, ClientOptions, number][] = [
    // Those that have just served a call, as above, come on top where the pool has no bound of its own.
    ['the limit', { limit: { max: 3, queue: 100 } }, 6],
    ['pool.connections', { pool: { connections: 3 } }, 3],
    ['pool.connections, with no limit', { limit: false, pool: { connections: 3 } }, 3],
  ]
  for (const [name, options, most] of bounds) {
    test(`are bounded by ${name}`, async t => {
      const gate = hold(echo)
      const [server, client] = await start(t, { handler: gate.handler }, options)
      const calls = Array.from({ length: 30 }, () => client.get(server.url))
      await eventually(() => gate.waiting === 3)
      deepEqual([server.connections, server.hits], [3, 3])
      gate.release()
      await Promise.all(calls)
      ok(server.accepted <= most && server.hits === 30, `${server.accepted} of ${server.hits}`)
    })
  }

  test('go to a unix socket', async t => {
    const dir = mkdtempSync(join(tmpdir(), 'breakwater-pool-'))
    t.after(() => { rmSync(dir, { recursive: true, force: true }) })
    const path = join(dir, 'socket')
    const [server, client] = await start(t, { path, handler: echo }, { pool: { socketPath: path } })
    equal((await client.get(`${server.url}/a`).json<Echo>()).url, '/a')
    const nobody = await closing(t, createClient({ retry: false, pool: { socketPath: join(dir, 'none') } }))
    const { reason, sent } = await failure(nobody.post('http://localhost/'), ConnectionError)
    deepEqual([reason, sent], ['ENOENT', 'never'])
  })

  test('that cannot be made are given up at connectTimeout, to 20 ms, as never sent', async t => {
    const server = await closing(t, hostile.startHostile(hostile.acceptAndSayNothing()))
    const client = await closing(t, createClient({ retry: false, pool: { connectTimeout: 130, ...secure } }))
    const { port } = server
    let error: ConnectionError | undefined
    const took = await timed(async () => { error = await failure(client.post(`https://127.0.0.1:${port}`), ConnectionError) })
    assertExact(took, 130)
    deepEqual([error?.reason, error?.sent, error?.blame], ['UND_ERR_CONNECT_TIMEOUT', 'never', 'upstream'])
    await eventually(() => server.connections === 0)
    const attempt = failure(client.post(`https://127.0.0.1:${port}`, { attemptTimeout: 50 }), AttemptTimeoutError)
    deepEqual([(await attempt).phase, (await attempt).sent], ['connect', 'never'])
    await eventually(() => server.connections === 0, { what: 'nothing is left of an attempt that was given up' })
  })
})

suite('TLS', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const throwing: [string, object][] = [
    ['a key that does not belong to its certificate', { ...secure.tls, cert: tls.cert, key }],
    ['a lookup that throws', { ...secure.tls, lookup: () => { throw new Error('no lookup') } }],
  ]
  for (const [name, options] of throwing) {
    test(`that cannot be begun leaves no timer behind: ${name}`, async t => {
      const [server, client] = await start(t, { protocol: 'https' }, { retry: false, pool: { tls: options } })
      const url = server.url.replace('127.0.0.1', 'localhost')
      equal((await failure(client.get(url), ConnectionError)).sent, 'never')
      const clock = createTestClock()
      const connector = new TrackedConnector(buildConnector(options), 300, clock)
      const { hostname, port, protocol } = new URL(url)
      throws(() => { connector.connect({ hostname, host: hostname, port, protocol, servername: '' }, () => undefined) })
      clock.tick(300)
    })
  }

  test('is verified unless somebody says otherwise', async t => {
    const server = await closing(t, startServer({ protocol: 'https' }))
    const call = async (options: ClientOptions): Promise<unknown> => {
      const client = await closing(t, createClient({ retry: false, ...options }))
      return client.post(server.url).then(({ status }) => status, (error: unknown) => {
        ok(error instanceof ConnectionError)
        return `${error.sent}: ${error.reason}`
      })
    }
    equal(await call({}), 'never: DEPTH_ZERO_SELF_SIGNED_CERT')
    equal(await call({ pool: { tls: { ca: tls.cert, servername: 'elsewhere.test' } } }), 'never: ERR_TLS_CERT_ALTNAME_INVALID')
    equal(server.hits, 0)
    equal(await call({ pool: secure }), 200)
    equal(await call({ pool: { tls: { rejectUnauthorized: false } } }), 200)
  })

  test('speaks HTTP/2 when that is asked for, and the limit is its cap', async t => {
    const gate = hold(echo)
    const [server, client] = await start(t, { protocol: 'h2', handler: gate.handler }, {
      limit: { max: 5, queue: 100 }, ...h2,
    })
    const calls = Array.from({ length: 20 }, () => client.get(server.url).json<Echo>())
    await eventually(() => gate.waiting === 5)
    equal(server.hits, 5)
    gate.release()
    for (const { httpVersion } of await Promise.all(calls)) equal(httpVersion, '2.0')
    const plain = await closing(t, createClient({ pool: secure }))
    equal((await plain.get(server.url).json<Echo>()).httpVersion, '1.1')
  })
})

suite('what is nobody’s failure is sent once more, at once and free', () => {
  const tokens = (client: Client): number | undefined => client.snapshot()[0]?.budget.tokens
  const evidence = (client: Client): unknown => {
    const { calls, failureRate } = client.snapshot()[0]!.endpoints[0]!
    return { calls, failed: calls * failureRate }
  }

  for (const how of ['reset', 'end'] as const) {
    test(`a kept connection that turns out to be gone (${how}): on a fresh one, whatever else is kept`, async t => {
      const fault = hostile.keepAliveReset(how)
      const server = await closing(t, hostile.startHostile(fault))
      const client = await closing(t, createClient({ retry: false }))
      await Promise.all(Array.from({ length: 4 }, () => client.get(server.url)))
      deepEqual([server.accepted, fault.fired], [4, 0])
      const reply = await client.put(server.url, { body: 'b' })
      deepEqual([reply.status, reply.attempts, fault.fired, server.accepted], [200, 1, 1, 5])
      deepEqual(evidence(client), { calls: 5, failed: 0 })
    })

    test(`but never a POST (${how}), nor a body that is gone`, async t => {
      const fault = hostile.keepAliveReset(how)
      const server = await closing(t, hostile.startHostile(fault))
      const client = await closing(t, createClient({ pool: { connections: 1 } }))
      const body = async function* (): AsyncGenerator<string> { yield 'b' }
      for (const call of [() => client.post(server.url, { body: 'b' }), () => client.put(server.url, { body: body() })]) {
        await client.get(server.url)
        const before = server.requests
        const error = await failure(call(), ConnectionError)
        deepEqual([error.sent, error.blame, error.stopped, error.attempts], ['maybe', 'nobody', 'not repeatable', 1])
        equal(server.requests, before + 1, 'it was sent once')
      }
      deepEqual([evidence(client), tokens(client), fault.fired], [{ calls: 2, failed: 0 }, 500, 2])
      equal((await client.post(server.url, { idempotencyKey: 'k' })).attempts, 1)
    })
  }

  test('kept connections that are reset while idle, as calls are given to them', async t => {
    const server = await closing(t, startServer())
    const client = await closing(t, createClient({ retry: false }))
    const methods = ['GET', 'DELETE', 'PUT', 'GET', 'GET', 'DELETE', 'PUT', 'GET']
    const burst = (): Promise<Reply[]> => Promise.all(methods.map(method => client.request(method, server.url)))
    await burst()
    equal(server.connections, 8)
    // undici looks at a connection for some turns before it uses it again.
    await settle(20)
    server.resetConnections()
    // Given to the connections in the same turn, before this process has heard of it.
    for (const { status, attempts } of await burst()) deepEqual([status, attempts], [200, 1])
    deepEqual(evidence(client), { calls: 16, failed: 0 })
    equal(server.hits, 16)
  })

  test('only once: what fails on a fresh connection too is a failure', async t => {
    const server = await closing(t, hostile.startHostile(hostile.healthy()))
    const client = await closing(t, createClient({ retry: false, pool: { connections: 1 } }))
    await client.get(server.url)
    server.handle(hostile.resetAfter(0))
    const error = await failure(client.get(server.url), ConnectionError)
    deepEqual([error.blame, server.requests, server.accepted], ['upstream', 3, 2])
    deepEqual(evidence(client), { calls: 2, failed: 1 })
  })

  for (const [name, make] of [['REFUSED_STREAM', () => refuseStream(1)], ['GOAWAY', goAway]] as const) {
    test(`an HTTP/2 stream that was never processed (${name}), whatever its method`, async t => {
      const fault = make()
      const [server, client] = await start(t, { protocol: 'h2', handler: fault.handler }, { retry: false, ...h2 })
      await client.get(server.url)
      equal((await client.post(server.url, { body: 'b' })).attempts, 1)
      equal(fault.fired, 1)
      deepEqual(evidence(client), { calls: 2, failed: 0 })
    })
  }

  test('a stream refused over and over is an error that says so, and proves nothing', async t => {
    const fault = refuseStream()
    const [server, client] = await start(t, { protocol: 'h2', handler: fault.handler }, { retry: false, ...h2 })
    const error = await failure(client.post(server.url), ConnectionError)
    deepEqual([error.reason, error.sent, error.blame], ['REFUSED_STREAM', 'never', 'nobody'])
    ok(fault.fired >= 2 && fault.fired <= 4, `${fault.fired}`)
    deepEqual(evidence(client), { calls: 0, failed: 0 })
  })

  test('a stream that was reset may have been processed', async t => {
    const fault = resetStream(1)
    const [server, client] = await start(t, { protocol: 'h2', handler: fault.handler }, h2)
    const error = await failure(client.post(server.url), UpstreamError)
    deepEqual([error.sent, error.stopped, fault.fired, server.hits], ['maybe', 'not repeatable', 1, 1])
  })
})

suite('pool.factory', () => {
  test('takes a MockAgent, or a MockPool for each origin, in a user’s tests', async t => {
    for (const shared of [true, false]) {
      const agent = new MockAgent()
      agent.disableNetConnect()
      t.after(() => agent.close())
      const made: string[] = []
      const client = await closing(t, createClient({
        retry: { backoff: 0 }, breaker: false, pool: {
          maxAge: 1,
          factory: origin => {
            made.push(origin)
            return shared ? agent : agent.get(origin)
          },
        },
      }))
      const mock = agent.get('http://api.test')
      mock.intercept({ path: '/a?b=c', method: 'POST', body: '{"d":1}' }).reply(503, 'busy')
      mock.intercept({ path: '/a?b=c', method: 'POST', body: '{"d":1}' }).reply(201, { e: 2 }, { headers: { 'x-f': 'g' } })
      const reply = await client.post('http://api.test/a', { query: { b: 'c' }, json: { d: 1 }, idempotencyKey: 'k' })
      deepEqual([reply.status, reply.json(), reply.headers['x-f'], reply.attempts], [201, { e: 2 }, 'g', 2])
      mock.intercept({ path: '/broken' }).replyWithError(Object.assign(new Error('m'), { code: 'ECONNRESET' })).times(5)
      equal((await failure(client.get('http://api.test/broken'), ConnectionError)).reason, 'ECONNRESET')
      mock.intercept({ path: '/gone' }).reply(410)
      equal((await failure(client.get('http://api.test/gone'), StatusError)).status, 410)
      await failure(client.get('http://api.test/unheard-of', { retry: false }), UpstreamError)
      agent.assertNoPendingInterceptors()
      deepEqual(made, ['http://api.test'])
    }
  })

  test('takes a proxy agent', async t => {
    const [proxy, client] = await start(t, { handler: echo }, {})
    const through = await closing(t, createClient({
      pool: { factory: () => new ProxyAgent({ uri: proxy.url, proxyTunnel: false }) },
    }))
    equal((await through.get('http://upstream.test/a').json<Echo>()).url, 'http://upstream.test/a')
    await inTime(client.close())
  })
})
