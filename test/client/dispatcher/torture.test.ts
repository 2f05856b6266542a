import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { createClient } from '../../../src/index.ts'
import { closing, eventually, inTime } from '../../support/check.ts'
import { ON, recorder } from '../../support/dispatching.ts'
import { startServer, type Handler } from '../../support/server.ts'

/** Park and Miller's generator: the same dice in every run. */
const dice = (seed: number) => (sides: number): number => {
  seed = seed * 48_271 % 2_147_483_647
  return seed % sides
}

for (const seed of [1, 2, 3]) {
  test(`whatever peers and callers do, each handler is told of one end, and nothing is left behind: seed ${seed}`, async t => {
    const roll = dice(seed)
    const capricious: Handler = (request, response) => {
      request.resume()
      const kinds: (() => void)[] = [
        () => { response.end('fine') },
        () => { response.writeHead(503).end('busy') },
        () => { response.writeHead(503, { 'content-length': 500_000 }).end(Buffer.alloc(500_000)) },
        () => { response.writeHead(200, { 'content-length': 100 }).write('part', () => response.destroy()) },
        () => { request.socket.destroy() },
        () => {
          response.writeEarlyHints({ link: '</a.css>; rel=preload' })
          response.writeHead(429, { 'retry-after': '0' }).end()
        },
        () => { response.end(Buffer.alloc(200_000)) },
      ]
      kinds[roll(kinds.length)]!()
    }
    const server = await closing(t, startServer(capricious))
    const client = createClient({ ...ON, limit: { max: 10, queue: 20, adaptive: false } })
    t.after(() => client.destroy())
    const dispatcher = client.dispatcher()
    const ends: number[] = []
    const one = async (): Promise<void> => {
      const when = roll(12)
      const stop = new Error('stop')
      const handler = recorder({
        onRequestStart: controller => {
          if (when === 0) controller.abort(stop)
          if (when === 1) setImmediate(() => { controller.abort(stop) })
        },
        onResponseStart: (controller, status) => {
          if (when === 2) controller.abort(stop)
          if (when === 3) throw stop
          if (when === 4 && status >= 200) {
            controller.pause()
            setImmediate(() => { controller.resume() })
          }
        },
        onResponseData: controller => {
          if (when === 5) controller.abort(stop)
          if (when === 6) throw stop
        },
      })
      const method = roll(2) === 0 ? 'GET' : 'PUT'
      const bodies = [null, 'body', Readable.from(['a ', 'stream'])]
      dispatcher.dispatch({ origin: server.url, path: '/', method, body: method === 'GET' ? null : bodies[roll(3)]! }, handler)
      await inTime(handler.done, { within: 10_000, what: 'it ends' })
      await new Promise(resolve => { setImmediate(resolve) })
      ends.push(handler.seen.filter(event => ['end', 'error'].includes((event as string[])[0]!)).length)
    }
    const chain = async (): Promise<void> => { for (let turn = 0; turn < 12; turn++) await one() }
    await Promise.all(Array.from({ length: 25 }, chain))
    equal(ends.length, 300)
    deepEqual(ends.filter(count => count !== 1), [])
    const upstream = client.snapshot()[0]!
    await eventually(() => client.snapshot()[0]!.active === 0)
    const { limit, endpoints } = client.snapshot()[0]!
    deepEqual([limit.inFlight, limit.queued, endpoints[0]!.inFlight], [0, 0, 0])
    ok(upstream.lastErrors.length > 0)
    await inTime(dispatcher.close())
    await inTime(client.close())
  })
}
