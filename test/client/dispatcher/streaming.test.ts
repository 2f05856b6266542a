import { deepEqual, equal, ok } from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import { request, type Dispatcher } from 'undici'
import { createClient, ResponseError, type Client, type ClientOptions } from '../../../src/index.ts'
import { closing, eventually, leaks } from '../../support/check.ts'
import { OFF, recorder } from '../../support/dispatching.ts'
import { failure } from '../../support/failure.ts'
import { closeDelimited, startHostile } from '../../support/hostile.ts'
import { startServer, stream, type Handler, type TestServer } from '../../support/server.ts'

const start = async (
  t: TestContext, handler: Handler, options: ClientOptions = {},
): Promise<[TestServer, Dispatcher, Client]> => {
  const server = await closing(t, startServer(handler))
  const client = createClient(options)
  t.after(() => client.destroy())
  return [server, client.dispatcher(), client]
}

/** Waits until a count has stood still for a while. */
const standsStill = async (count: () => number): Promise<number> => {
  let [last, since] = [-1, 0]
  await eventually(() => {
    if (count() !== last) [last, since] = [count(), performance.now()]
    return performance.now() - since > 100
  }, { what: 'it stands still', within: 10_000 })
  return last
}

/** Chunks without end, and how many have been taken. */
const endless = (): { handler: Handler; readonly made: number } => {
  let made = 0
  const chunks = function* (): Generator<Buffer> { for (;; made++) yield Buffer.alloc(10_000) }
  return { handler: (seen, response) => stream(chunks())(seen, response), get made(): number { return made } }
}

suite('a dispatched response', () => {
  test('is not taken faster than it is read', async t => {
    const source = endless()
    const [server, dispatcher] = await start(t, source.handler)
    const { body } = await request(server.url, { dispatcher })
    const made = await standsStill(() => source.made)
    ok(made < 2_000, `${made} chunks of 10 kB were taken unread`)
    for await (const _ of body) if (source.made > made + 100) break
    ok(source.made > made)
  })

  test('stands still while its handler says so, from the headers on', async t => {
    const source = endless()
    const [server, dispatcher] = await start(t, source.handler)
    let [taken, held] = [0, undefined as Dispatcher.DispatchController | undefined]
    const handler = recorder({
      onResponseStart: controller => {
        controller.pause()
        held = controller
      },
      onResponseData: (_controller, { length }) => { taken += length },
    })
    dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, handler)
    const made = await standsStill(() => source.made)
    equal(taken, 0)
    held!.resume()
    await eventually(() => source.made > made + 100)
    held!.pause()
    const still = await standsStill(() => taken)
    ok(still > 0)
    held!.abort(new Error('enough'))
    await handler.done
  })

  test('frees its connection when the caller gives up, and leaves nothing behind', async t => {
    const [server, dispatcher, client] = await start(t, endless().handler)
    const watch = leaks()
    for (let turn = 0; turn < 5; turn++) {
      const { body } = await request(server.url, { dispatcher })
      body.on('error', () => {}).destroy()
    }
    await eventually(() => server.connections === 0 && client.snapshot()[0]!.active === 0)
    await watch.assertNone()
  })

  test('that ends with its connection is not whole if that was reset', async t => {
    const hostile = await closing(t, startHostile(closeDelimited('part', 'reset')))
    const client = await closing(t, createClient({ retry: false }))
    const { body } = await request(hostile.url, { dispatcher: client.dispatcher() })
    await failure(body.text(), ResponseError)
  })

  test('has no bound on its size', async t => {
    const large: Handler = (_request, response) => { response.end(Buffer.alloc(100_000)) }
    const [server, dispatcher] = await start(t, large, { maxBodySize: 10 })
    equal((await (await request(server.url, { dispatcher })).body.bytes()).length, 100_000)
  })
})

test('a request body is not taken faster than it is sent', async t => {
  let held: IncomingMessage | undefined
  const [server, dispatcher] = await start(t, seen => { held = seen })
  let made = 0
  const body = Readable.from((function* () { for (;; made++) yield Buffer.alloc(10_000) })())
  const sent = request(server.url, { dispatcher, method: 'PUT', body })
  sent.catch(() => {})
  const first = await standsStill(() => made)
  ok(first < 2_000, `${first} chunks of 10 kB were taken`)
  held!.resume()
  await eventually(() => made > first + 1_000)
  body.destroy(new RangeError('torn'))
  equal((await failure(sent, RangeError)).message, 'torn')
})

suite('over HTTP/2', () => {
  const options: ClientOptions = { pool: { http2: true, tls: { rejectUnauthorized: false } } }
  test('a request, its body and its trailers are as over HTTP/1', async t => {
    const server = await closing(t, startServer({
      protocol: 'h2',
      handler: (seen, response) => {
        response.setHeader('x-seen', seen.httpVersion)
        seen.pipe(response)
      },
    }))
    const client = await closing(t, createClient(options))
    const handler = recorder()
    const asked = { origin: server.url, path: '/', method: 'PUT', body: 'over two' } as const
    client.dispatcher().dispatch(asked, handler)
    await handler.done
    const events = handler.seen as [string, unknown, Record<string, unknown>?][]
    deepEqual(events.map(([event]) => event), ['start', 'headers', 'data', 'end'])
    deepEqual([events[1]![1], events[1]![2]!['x-seen'], events[2]![1]], [200, '2.0', 'over two'])
  })

  test('it is not taken faster than it is read, and retried before', async t => {
    const source = endless()
    let turn = 0
    const server = await closing(t, startServer({
      protocol: 'h2',
      handler: (seen, response) => {
        if (turn++ > 0) return source.handler(seen, response)
        response.writeHead(503).end('no')
        return undefined
      },
    }))
    const client = createClient({ ...options, retry: { backoff: 1, maxBackoff: 1, throttledBackoff: 1 } })
    t.after(() => client.destroy())
    const { statusCode, body } = await request(server.url, { dispatcher: client.dispatcher() })
    const made = await standsStill(() => source.made)
    deepEqual([statusCode, turn], [200, 2])
    ok(made < 2_000, `${made} chunks of 10 kB were taken unread`)
    body.on('error', () => {}).destroy()
  })

  test('a request that may not go over it does not, whatever the protections', async t => {
    const handler: Handler = (seen, response) => { response.end(seen.httpVersion) }
    const server = await closing(t, startServer({ protocol: 'h2', handler }))
    for (const more of [{}, OFF]) {
      const client = await closing(t, createClient({ ...options, ...more }))
      const versions = []
      for (const allowH2 of [true, false]) {
        const asked = { dispatcher: client.dispatcher(), allowH2 }
        versions.push(await (await request(server.url, asked)).body.text())
      }
      deepEqual(versions, ['2.0', '1.1'])
    }
  })
})
