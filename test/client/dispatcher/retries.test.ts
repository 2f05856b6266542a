import { deepEqual, equal } from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import { request, type Dispatcher } from 'undici'
import { ConnectionError, createClient, DeadlineExceededError, type Client, type ClientOptions } from '../../../src/index.ts'
import { closing, eventually, settle } from '../../support/check.ts'
import { createTestClock } from '../../support/clock.ts'
import { recorder } from '../../support/dispatching.ts'
import { failure } from '../../support/failure.ts'
import { closedPort, resetMidHeaders, startHostile } from '../../support/hostile.ts'
import { echo, hold, inTurn, startServer, status, type Handler, type TestServer } from '../../support/server.ts'

const QUICK = { backoff: 1, throttledBackoff: 1, maxBackoff: 1 }

const start = async (
  t: TestContext, handler: Handler, options: ClientOptions = {},
): Promise<[TestServer, Dispatcher, Client]> => {
  const server = await closing(t, startServer(handler))
  const client = await closing(t, createClient({ retry: QUICK, ...options }))
  return [server, client.dispatcher(), client]
}
const answer = async (sent: Promise<Dispatcher.ResponseData>): Promise<[number, string]> => {
  const { statusCode, body } = await sent
  return [statusCode, await body.text()]
}

suite('a retry of a dispatched request', () => {
  test('is made before anything has been handed on, and its handler hears of the last response only', async t => {
    const [server, dispatcher] = await start(t, inTurn(status(503, {}, 'no'), status(502, {}, 'nor'), status(200, {}, 'yes')))
    const handler = recorder()
    dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, handler)
    await handler.done
    deepEqual(handler.seen.map(event => (event as [string, unknown]).slice(0, 2)),
      [['start', false], ['headers', 200], ['data', 'yes'], ['end', {}]])
    equal(server.hits, 3)
  })

  test('leaves the caller with the last real response when there are no more', async t => {
    const [server, dispatcher] = await start(t, (seen, response) =>
      status(503, { 'x-turn': String(server.hits) }, `no ${server.hits}`)(seen, response), { retry: { ...QUICK, limit: 2 } })
    const { headers, statusCode, body } = await request(server.url, { dispatcher })
    deepEqual([statusCode, headers['x-turn'], await body.text()], [503, '3', 'no 3'])
  })

  for (const [why, size] of [['short', 10], ['longer than what is kept in memory', 300_000]] as const) {
    test(`leaves the caller with the response to be retried if there is no place for another: ${why}`, async t => {
      const [gate, clock] = [hold(status(200)), createTestClock()]
      const first503 = status(503, { 'x-first': '1' }, 'n'.repeat(size))
      const [server, dispatcher, client] = await start(t, inTurn(first503, gate.handler), {
        limit: { max: 1, queue: 0, adaptive: false }, env: { clock, random: () => 0.9 },
      })
      const first = request(server.url, { dispatcher })
      await eventually(() => client.snapshot()[0]!.limit.inFlight === 0 && server.hits === 1)
      // It rests. The only permit is somebody else's by the time it is due.
      const second = request(server.url, { dispatcher })
      await eventually(() => gate.waiting === 1)
      await clock.advance(10)
      const { headers, statusCode, body } = await first
      deepEqual([statusCode, headers['x-first'], (await body.text()).length], [503, '1', size])
      gate.release()
      await (await second).body.dump()
      await eventually(() => client.snapshot()[0]!.active === 0)
    })
  }

  test('is made of a failed connection, and its error is ours with undici’s as its cause', async t => {
    const port = await closing(t, closedPort())
    const client = await closing(t, createClient({ retry: { ...QUICK, limit: 2 } }))
    const error = await failure(request(port.url, { dispatcher: client.dispatcher() }), ConnectionError)
    deepEqual([error.attempts, error.reason, (error.cause as { code?: string }).code, error.stopped],
      [3, 'ECONNREFUSED', 'ECONNREFUSED', 'limit'])
  })

  test('is made of a POST only if it was never sent, or may be repeated', async t => {
    const hostile = await closing(t, startHostile(resetMidHeaders()))
    const client = await closing(t, createClient({ retry: { ...QUICK, limit: 1 }, breaker: false }))
    const dispatcher = client.dispatcher()
    const attempts = async (options: object): Promise<number> =>
      (await failure(request(hostile.url, { dispatcher, method: 'POST', ...options }), ConnectionError)).attempts
    deepEqual([
      await attempts({}), await attempts({ idempotent: true }), await attempts({ headers: { 'Idempotency-Key': '1' } }),
      await attempts({ headers: ['a', 'b', 'IDEMPOTENCY-KEY', '1'] }),
      await attempts({ method: 'GET' }), await attempts({ method: 'GET', idempotent: false }),
    ], [1, 2, 2, 2, 2, 1])
  })

  test('sends a solid body again, and never one that is gone', async t => {
    for (const [body, expected] of [
      ['text', 200], [Buffer.from('text'), 200], [new Blob(['text']), 200],
      [Readable.from(['text']), 503], [(async function* () { yield 'text' })(), 503],
    ] as const) {
      const [server, dispatcher] = await start(t, inTurn(status(503), echo))
      const [code, text] = await answer(request(server.url, { dispatcher, method: 'PUT', body: body as string }))
      equal(code, expected)
      if (code === 200) equal((JSON.parse(text) as { body: string }).body, 'text')
    }
  })

  test('sends header fields from a generator again', async t => {
    const [server, dispatcher] = await start(t, inTurn(status(503), echo))
    const headers = (function* () { yield ['x-once', 'only'] as [string, string] })()
    const [, text] = await answer(request(server.url, { dispatcher, headers }))
    equal((JSON.parse(text) as { headers: Record<string, string> }).headers['x-once'], 'only')
  })

  test('is not made once the response has begun', async t => {
    const hostile = (_request: unknown, response: ServerResponse): void => {
      response.writeHead(200, { 'content-length': 100 }).write('part', () => response.destroy())
    }
    const [server, dispatcher] = await start(t, hostile)
    const { body } = await request(server.url, { dispatcher })
    equal((await failure(body.text(), Error)).name, 'ResponseError')
    equal(server.hits, 1)
  })

  test('keeps the connection of a response that was short', async t => {
    const [server, dispatcher] = await start(t, inTurn(status(503, {}, 'no'), status(503, {}, 'no'), status(200, {}, 'yes')))
    deepEqual(await answer(request(server.url, { dispatcher })), [200, 'yes'])
    equal(server.accepted, 1)
  })

  test('lets go of a response without end', async t => {
    const [server, dispatcher] = await start(t, inTurn((_request, response) => {
      response.writeHead(503)
      const write = (): void => { while (!response.destroyed && response.write('x'.repeat(10_000))); }
      response.on('drain', write)
      write()
    }, status(200, {}, 'yes')))
    deepEqual(await answer(request(server.url, { dispatcher })), [200, 'yes'])
    await eventually(() => server.connections === 1)
  })

  test('is free where a kept connection had gone stale', async t => {
    const [server, dispatcher, client] = await start(t, status(200, {}, 'yes'), { retry: false })
    await answer(request(server.url, { dispatcher }))
    // The connection is free for others a turn after the end.
    await settle()
    server.handle((seen, response) => {
      server.handle(status(200, {}, 'again'))
      ;(seen.socket).resetAndDestroy()
      response.destroy()
    })
    deepEqual(await answer(request(server.url, { dispatcher })), [200, 'again'])
    equal(client.snapshot()[0]!.endpoints[0]!.failureRate, 0)
  })

  test('is no longer made when the deadline has passed', async t => {
    const [gate, clock] = [hold(status(200)), createTestClock()]
    const [server, dispatcher] = await start(t, gate.handler, { deadline: 50, env: { clock, random: () => 0 } })
    const failed = failure(request(server.url, { dispatcher }), DeadlineExceededError)
    await eventually(() => gate.waiting === 1)
    await clock.advance(50)
    equal((await failed).phase, 'headers')
  })
})

test('the deadline of a dispatched request ends at its headers', async t => {
  const clock = createTestClock()
  let end = (): void => {}
  const [server, dispatcher] = await start(t, (_request, response) => {
    response.write('begun ')
    end = () => { response.end('ended') }
  }, { deadline: 50, env: { clock, random: () => 0 } })
  const { body } = await request(server.url, { dispatcher })
  await clock.advance(60_000)
  end()
  equal(await body.text(), 'begun ended')
  equal(clock.pending, 0)
})
