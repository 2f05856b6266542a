import { deepEqual, equal, match } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createClient, OptionError, type Client } from '../../src/index.ts'
import { closing, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { startServer, tls } from '../support/server.ts'

const untouched = (client: Client): void => {
  const [upstream] = client.snapshot()
  const [endpoint] = upstream?.endpoints ?? []
  deepEqual(
    [upstream?.active, upstream?.limit.inFlight, upstream?.budget.tokens, endpoint?.circuit, endpoint?.failureRate],
    [0, 0, 500, 'closed', 0],
  )
}

suite('a request that undici refuses to build', () => {
  const pools = {
    'over HTTP/1.1': { connections: 2 },
    'over HTTP/2': { connections: 2, http2: true, tls: { ca: tls.cert } },
  }
  for (const [name, pool] of Object.entries(pools)) {
    const protocol = 'http2' in pool ? 'h2' : 'http'

    test(`is its caller's mistake, and leaves the connections usable: ${name}`, async t => {
      const server = await closing(t, startServer({ protocol }))
      const client = await closing(t, createClient({ pool }))
      const refuse = async (): Promise<void> => {
        for (let i = 0; i < 3; i++) {
          const { message } = await failure(client.post(server.url, { headers: { expect: '100-continue' } }), OptionError)
          match(message, /expect/)
        }
      }
      // Without a connection, with kept ones, and with busy ones.
      await refuse()
      equal((await inTime(client.get(server.url))).status, 200)
      await refuse()
      const calls = Array.from({ length: 6 }, () => client.get(server.url))
      await refuse()
      for (const { status } of await inTime(Promise.all(calls))) equal(status, 200)
      equal((await inTime(client.get(server.url))).status, 200)
      equal(server.hits, 8)
      untouched(client)
    })

    test(`has undici's own error at the dispatcher, and leaves nothing behind either: ${name}`, async t => {
      const server = await closing(t, startServer({ protocol }))
      const client = await closing(t, createClient({ pool }))
      const dispatcher = client.dispatcher()
      const request = (options: object): Promise<{ statusCode: number; body: { text(): Promise<string> } }> =>
        dispatcher.request({ origin: server.url, path: '/', method: 'GET', ...options })
      const refusals: [object, RegExp][] = [
        [{ path: '/x?y', query: { a: 1 } }, /^Error: Query params cannot be passed/],
        [{ headers: { expect: '100-continue' } }, /^NotSupportedError: expect/],
        [{ headers: { 'content-length': 'much' } }, /^InvalidArgumentError: invalid content-length/],
        [{ headers: { field: Symbol('of no use') } }, /^TypeError: Cannot convert a Symbol/],
      ]
      for (const [options, told] of refusals) {
        for (let i = 0; i < 2; i++) match(String(await failure(inTime(request(options)), Error)), told)
        const { statusCode, body } = await inTime(request({}))
        deepEqual([statusCode, await body.text()], [200, '{"ok":true}'])
      }
      equal(server.hits, refusals.length)
      untouched(client)
    })
  }
})
