import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request as nodeRequest } from 'node:http'
import { suite, test, type TestContext } from 'node:test'
import type { ClientOptions } from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { ask, startGateway, talk, type GatewayUnderTest } from '../support/gateway-under-test.ts'
import { gatewayMissing, startNginx } from '../support/gateways.ts'
import { garbageStatusLine, head, raw, resetAfter, startHostile, type Fault } from '../support/hostile.ts'
import { echo, hold, startServer, status, type Handler } from '../support/server.ts'
import { startUpstreamProcess } from '../support/upstream-process.ts'

/*
 * Walks the table of docs/gateway.md: each cause is brought about twice, once with the upstream right behind the gateway and
 * once with a real nginx between them.
 */

/** Answered as the table writes it: status, `Retry-After` if there is one, and what Proxy-Status says. */
type Answered = string
/** Where the upstream is found: itself, or the nginx in front of it. */
type Behind = (upstream: string) => Promise<string>
type Scenario = (t: TestContext, behind: Behind) => Promise<Answered>

const GET = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'

const SAYS = new RegExp([
  /^proxy-status: breakwater(?:; error=(?<error>\w+))?/, /; next-hop=(?<next>\w+)(?:; received-status=(?<received>\d+))?/,
].map(({ source }) => source).join(''), 'im')

/** Asks once, and tells what was answered in the words of the table. */
const answerOf = async ({ port }: GatewayUnderTest, said = GET): Promise<Answered> => {
  const { heard } = await talk(port, said)
  const code = /^HTTP\/1\.1 (\d+)/.exec(heard)?.[1]
  if (code === undefined) return 'nothing'
  const [header = '', body = ''] = heard.split('\r\n\r\n')
  const { error, next, received } = SAYS.exec(header)?.groups ?? {}
  if (error !== undefined) deepEqual(problemOf(body).slice(0, 3), [error, Number(code), 'up'])
  if (next !== undefined) equal(next, 'up')
  const length = /^content-length: (\d+)/im.exec(header)?.[1]
  const parts = [
    code,
    ...(/^retry-after: \d+/im.test(header) ? ['Retry-After'] : []),
    ...(length !== undefined && body.length < Number(length) ? ['cut off'] : []),
    ...(error === undefined ? [] : [`\`${error}\``]),
    ...(received === undefined ? [] : [`\`received-status=${received}\``]),
  ]
  ok(!/127\.0\.0\.1/.test(body), body)
  return parts.join(', ')
}

const problemOf = (body: string): unknown[] => {
  const { type, status: code, upstream, title } = JSON.parse(body) as Record<string, unknown>
  match(String(title), /^[A-Z]/)
  return [String(type).replace('https://www.iana.org/assignments/http-proxy-status#', ''), code, upstream]
}

const gatewayTo = (t: TestContext, url: string, own: ClientOptions = {}): Promise<GatewayUnderTest> =>
  closing(t, startGateway(url, {}, own))

const handled = (handler: Handler): Scenario => async (t, behind) => {
  const server = await closing(t, startServer(handler))
  const answered = await answerOf(await gatewayTo(t, await behind(server.url)))
  equal(server.hits, 1)
  return answered
}

const faulty = (fault: () => Fault): Scenario => async (t, behind) => {
  const made = fault()
  const server = await closing(t, startHostile(made))
  const answered = await answerOf(await gatewayTo(t, await behind(server.url)))
  ok(made.fired > 0, 'the fault has fired')
  return answered
}

/** One call holds the only permit while another is asked. */
const crowded = (limit: ClientOptions['limit'] & object): Scenario => async (t, behind) => {
  const gate = hold()
  const server = await closing(t, startServer(gate.handler))
  const gateway = await gatewayTo(t, await behind(server.url), { limit: { max: 1, ...limit } })
  const first = ask(gateway.url).catch(() => undefined)
  await eventually(() => gate.waiting === 1)
  const answered = await answerOf(gateway)
  gate.release()
  equal((await first)?.status, 200)
  return answered
}

const SCENARIOS: Record<string, Scenario> = {
  'the upstream refuses connections': async (t, behind) => {
    const upstream = await closing(t, startUpstreamProcess())
    const gateway = await gatewayTo(t, await behind(upstream.url))
    equal(await answerOf(gateway), '200')
    await upstream.crash()
    return answerOf(gateway)
  },
  'the upstream hangs': async (t, behind) => {
    const upstream = await closing(t, startUpstreamProcess())
    const gateway = await gatewayTo(t, await behind(upstream.url), { deadline: 1_000 })
    upstream.freeze()
    const answered = await answerOf(gateway)
    upstream.thaw()
    return answered
  },
  'the upstream resets the connection': faulty(() => resetAfter(0)),
  'the upstream\'s name does not resolve': async (t, behind) =>
    answerOf(await gatewayTo(t, await behind('http://nowhere.invalid'))),
  'the upstream crashes in the middle of its response': async (t, behind) => {
    const upstream = await closing(t, startUpstreamProcess())
    await upstream.be({ is: 'about to crash' })
    const answered = await answerOf(await gatewayTo(t, await behind(upstream.url)))
    await eventually(() => !upstream.alive)
    return answered
  },
  'the response is malformed': faulty(garbageStatusLine),
  'the response\'s header is too long': faulty(() => raw(head(200, [['x-long', 'x'.repeat(100_000)], ['content-length', 0]]))),
  'the circuit is open': async (t, behind) => {
    const server = await closing(t, startServer(status(503)))
    const gateway = await gatewayTo(t, await behind(server.url), { breaker: { consecutive: 1 } })
    equal(await answerOf(gateway), '503, `received-status=503`')
    return answerOf(gateway)
  },
  'the queue is full': crowded({ queue: 0 }),
  'the wait for a permit takes too long': crowded({ queue: 1, queueTimeout: 50 }),
  'the breakwater client is closing': async (t, behind) => {
    const server = await closing(t, startServer())
    const gateway = await gatewayTo(t, await behind(server.url))
    await gateway.client.close()
    return answerOf(gateway)
  },
  'the request\'s body does not arrive in time': async (t, behind) => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(await behind(server.url), { clientTimeout: 300 }))
    return answerOf(gateway, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  },
  'the upstream answers 404': handled(status(404)),
  'the upstream answers 500': handled(status(500)),
  'the upstream answers 503 with Retry-After': handled(status(503, { 'retry-after': '7' })),
  'the client disconnects': async (t, behind) => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const gateway = await gatewayTo(t, await behind(server.url), { breaker: { consecutive: 1 } })
    const sent = nodeRequest(gateway.url, { agent: false }).on('error', () => {})
    sent.end()
    await eventually(() => gate.waiting === 1)
    sent.destroy()
    await eventually(() => gateway.inFlight() === 0 && gate.waiting === 0)
    const [endpoint] = gateway.client.upstream('up').snapshot().endpoints
    deepEqual([endpoint?.circuit, endpoint?.failureRate, gateway.errors], ['closed', 0, []])
    return 'nothing'
  },
}

const text = readFileSync(new URL('../../docs/gateway.md', import.meta.url), 'utf8')
const rows = [...text.matchAll(/^\| (.+) \| (.+) \| (.+) \| (.+) \|$/gm)].map(([, ...cells]) => cells).slice(1)
const missing = gatewayMissing('nginx')

test('every cause of the table is known here, and every one known here is in the table', () => {
  deepEqual(rows.map(([cause]) => cause), Object.keys(SCENARIOS))
})

suite('with the upstream right behind it', () => {
  for (const [cause = '', answer = '', says = ''] of rows) {
    const expected = says.startsWith('nothing') ? answer : `${answer}, ${says}`
    test(`${cause}: ${expected}`, async t => {
      equal(await SCENARIOS[cause]?.(t, url => Promise.resolve(url)), expected)
    })
  }
})

suite('with nginx between them', { skip: missing }, () => {
  for (const [cause = '', , , expected = ''] of rows) {
    test(`${cause}: ${expected}`, async t => {
      const behind: Behind = async upstream =>
        (await closing(t, startNginx({ upstream, connectTimeout: 300, readTimeout: 300 }))).url
      equal(await SCENARIOS[cause]?.(t, behind), expected)
    })
  }
})
