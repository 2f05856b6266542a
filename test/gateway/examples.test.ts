import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test, type TestContext } from 'node:test'
import { CircuitOpenError, createClient, StatusError, toGatewayStatus, UpstreamError, type Client } from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import {
  gatewayMissing, startHaproxy, startNginx, type Gateway, type GatewayName, type GatewayOptions,
} from '../support/gateways.ts'
import { acceptAndSayNothing, closedPort, fault, garbageStatusLine, head, startHostile } from '../support/hostile.ts'
import { startServer } from '../support/server.ts'
import { startUpstreamProcess } from '../support/upstream-process.ts'

const starters: Record<GatewayName, (options: GatewayOptions) => Promise<Gateway>> = { nginx: startNginx, haproxy: startHaproxy }

/** A gateway with short patience, and a client that soon tries again. */
const start = async (t: TestContext, name: GatewayName, upstream: string): Promise<[Gateway, Client]> => {
  const gateway = await closing(t, starters[name]({ upstream, connectTimeout: 150, readTimeout: 150 }))
  const client = await closing(t, createClient({
    deadline: 2_000, retry: false, breaker: { openTime: 100, maxOpenTime: 100, ramp: 0, probes: 2 },
  }))
  return [gateway, client]
}

const circuitOf = (client: Client): string | undefined => client.snapshot()[0]?.endpoints[0]?.circuit

/** Calls until the circuit opens; what each call before that ended with. */
const untilOpen = async (client: Client, url: string): Promise<string[]> => {
  const seen: string[] = []
  for (let i = 0; i < 30 && circuitOf(client) !== 'open'; i++) {
    const error = await failure(client.get(url), UpstreamError)
    seen.push(error instanceof StatusError ? String(error.status) : error.code)
  }
  equal(circuitOf(client), 'open', seen.join())
  const started = performance.now()
  const refused = await failure(client.get(url), CircuitOpenError)
  ok(performance.now() - started < 50)
  deepEqual([refused.sent, refused.attempts, toGatewayStatus(refused).status], ['never', 0, 503])
  return seen
}

/** Calls now and then until the circuit has closed again and calls succeed. */
const untilClosed = (client: Client, url: string): Promise<boolean> => eventually(async () => {
  const { ok: fine } = await client.get(url).catch(() => ({ ok: false }))
  return fine && circuitOf(client) === 'closed'
}, { within: 5_000, what: 'the circuit closes and calls succeed' })

/** What each gateway says of an upstream that is ill in this way: the status alone does not tell the cause. */
const saysOf: Record<string, Record<GatewayName, string>> = {
  dead: { nginx: '502', haproxy: '503' },
  slow: { nginx: '504', haproxy: '504' },
  silent: { nginx: '504', haproxy: '504' },
  unresolvable: { nginx: '502', haproxy: '503' },
}

for (const name of ['nginx', 'haproxy'] as const) {
  const missing = gatewayMissing(name)
  if (missing !== false) console.log(`skipped: ${missing}`)

  suite(`behind ${name}`, { skip: missing }, () => {
    test('a healthy upstream is healthy, and its connection is kept', async t => {
      const server = await closing(t, startServer())
      const [gateway, client] = await start(t, name, server.url)
      for (let i = 0; i < 10; i++) deepEqual(await client.get(gateway.url).json(), { ok: true })
      deepEqual([server.hits, circuitOf(client), client.snapshot()[0]?.endpoints[0]?.failureRate], [10, 'closed', 0])
    })

    test('a dead upstream opens the circuit after five calls, and its return closes it', async t => {
      const upstream = await closing(t, startUpstreamProcess())
      const [gateway, client] = await start(t, name, upstream.url)
      equal((await client.get(gateway.url)).status, 200)
      await upstream.kill()
      const seen = await untilOpen(client, gateway.url)
      deepEqual(seen, Array<string>(seen.length).fill(saysOf['dead']![name]))
      ok(seen.length <= 5, seen.join())
      await upstream.restart()
      await untilClosed(client, gateway.url)
    })

    test('a slow upstream ends in the gateway’s patience, not in ours', async t => {
      const upstream = await closing(t, startUpstreamProcess())
      await upstream.be({ is: 'slow', ms: 1_000 })
      const [gateway, client] = await start(t, name, upstream.url)
      const seen = await untilOpen(client, gateway.url)
      deepEqual(seen, Array<string>(5).fill(saysOf['slow']![name]))
      await upstream.be({ is: 'well' })
      await untilClosed(client, gateway.url)
    })

    test('an upstream that crashes in the middle of a reply opens the circuit, and comes back', async t => {
      const upstream = await closing(t, startUpstreamProcess())
      const [gateway, client] = await start(t, name, upstream.url)
      await upstream.be({ is: 'about to crash' })
      const error = await failure(client.get(gateway.url), UpstreamError)
      ok(['ERR_BAD_RESPONSE', 'ERR_STATUS', 'ERR_CONNECTION'].includes(error.code), error.message)
      await eventually(() => !upstream.alive)
      await untilOpen(client, gateway.url)
      await upstream.restart()
      await untilClosed(client, gateway.url)
    })

    test('a wrong port: nobody there, silence, or something that speaks no HTTP', async t => {
      const ssh = garbageStatusLine()
      const banner = fault('banner', ({ socket }, fire) => socket.end('SSH-2.0-OpenSSH_9.9\r\n', fire), { at: 'accept' })
      const silence = acceptAndSayNothing()
      const cases: [string, RegExp][] = [
        [(await closing(t, closedPort())).url, new RegExp(`^${saysOf['dead']![name]}$`)],
        [(await closing(t, startHostile(silence))).url, new RegExp(`^${saysOf['silent']![name]}$`)],
        // nginx hands on what has no status line, as it is; HAProxy refuses it.
        [(await closing(t, startHostile(ssh))).url, name === 'nginx' ? /^ERR_(BAD_RESPONSE|CONNECTION)$/ : /^502$/],
        [(await closing(t, startHostile(banner))).url, name === 'nginx' ? /^(502|ERR_(BAD_RESPONSE|CONNECTION))$/ : /^502$/],
      ]
      for (const [url, expected] of cases) {
        const [gateway, client] = await start(t, name, url)
        const outcome = await client.get(gateway.url).then(({ status }) => String(status), (error: unknown) => {
          ok(error instanceof UpstreamError)
          return error instanceof StatusError ? String(error.status) : error.code
        })
        ok(expected.test(outcome), outcome)
      }
    })

    test('an upstream whose name nobody knows opens the circuit', async t => {
      const [gateway, client] = await start(t, name, 'http://nowhere.invalid:80')
      const seen = await untilOpen(client, gateway.url)
      deepEqual(seen, Array<string>(5).fill(saysOf['unresolvable']![name]))
    })

    test('a truncated reply is one, whatever the gateway makes of it', async t => {
      const half = fault('half', ({ socket }, fire) => {
        socket.end(head(200, [['content-length', 1_000]]) + 'x'.repeat(10), fire)
      })
      const [gateway, client] = await start(t, name, (await closing(t, startHostile(half))).url)
      const error = await failure(client.get(gateway.url), UpstreamError)
      equal(error.code, 'ERR_BAD_RESPONSE', error.message)
      equal(half.fired, 1)
      await untilOpen(client, gateway.url)
    })

    test('a gateway that dies itself refuses connections, which open the circuit', async t => {
      const server = await closing(t, startServer())
      const [gateway, client] = await start(t, name, server.url)
      equal((await client.get(gateway.url)).status, 200)
      await gateway.close()
      deepEqual([...new Set(await untilOpen(client, gateway.url))], ['ERR_CONNECTION'])
    })
  })
}
