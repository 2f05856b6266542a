import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import {
  AttemptTimeoutError, createClient, DeadlineExceededError, DrainingError, OptionError, StatusError, type CallOptions,
  type Client,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/options.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { byPath, echo, hold, startServer, status, tls, type Echo, type Handler, type TestServer } from '../support/server.ts'

const to = (location: string, code = 302): Handler => status(code, { location })
const SECRETS: CallOptions = {
  headers: { 'authorization': 'Bearer s', 'cookie': 's=1', 'x-api-key': 's', 'accept-language': 'de', 'user-agent': 'u' },
}

/** Two origins: the first sends on to the second, or does what a test wants. */
const start = async (
  t: TestContext, handler: (there: TestServer) => Handler, options: (here: TestServer, there: TestServer) => ClientOptions,
): Promise<[Client, TestServer, TestServer]> => {
  const there = await closing(t, startServer(echo))
  const here = await closing(t, startServer(handler(there)))
  return [await closing(t, createClient(options(here, there))), here, there]
}

test('redirects are not followed unless somebody asks', async t => {
  const [client, here, there] = await start(t, ({ url }) => to(url), () => ({}))
  const reply = await client.get(here.url)
  deepEqual([reply.status, reply.headers['location'], there.hits], [302, there.url, 0])
  deepEqual([(await client.get(here.url, { redirects: 1 })).status, there.hits], [200, 1])
})

test('they are bounded, by the client and by the call', async t => {
  const [client, here] = await start(t, () => to('/again?and=again'), () => ({ redirects: 3 }))
  equal((await client.get(here.url)).status, 302)
  equal(here.hits, 4)
  await client.get(here.url, { redirects: 20 })
  await client.get(here.url, { redirects: 0 })
  equal(here.hits, 4 + 21 + 1)
})

test('the method and the body are kept or not, as RFC 9110 has it', async t => {
  const cases = [
    [301, 'POST', 'GET', ''], [302, 'POST', 'GET', ''], [303, 'PUT', 'GET', ''],
    [307, 'POST', 'POST', 'b'], [308, 'PUT', 'PUT', 'b'], [302, 'PUT', 'PUT', 'b'],
  ] as const
  const handlers = Object.fromEntries(cases.map(([code]) => [`/${code}`, to('/echo', code)]))
  const [client, here] = await start(t, () => byPath({ ...handlers, '/echo': echo }), () => ({ redirects: 1 }))
  for (const [code, method, sent, body] of cases) {
    const seen = await client.request(method, `${here.url}/${code}`, { body: 'b', query: { a: 1 }, ...SECRETS }).json<Echo>()
    deepEqual([seen.method, seen.body, seen.url], [sent, body, '/echo'], `${code} ${method}`)
    equal(seen.headers['authorization'], 'Bearer s', 'the same origin keeps what it was given')
  }
  const oneShot = await client.post(`${here.url}/307`, { body: Readable.from(['b']) })
  equal(oneShot.status, 307, 'a consumed body cannot be sent again')
})

test('credentials and bodies never cross an origin', async t => {
  const elsewhere = ({ url }: TestServer): Handler => byPath({ '/307': to(url, 307), '/': to(`${url}/x`) })
  const [client, here, there] = await start(t, elsewhere, () => ({ redirects: 5 }))
  const seen = await client.get(here.url, SECRETS).json<Echo>()
  deepEqual(Object.keys(seen.headers).sort(), ['accept-language', 'connection', 'host', 'user-agent'])
  equal((await client.post(`${here.url}/307`, { json: { secret: 1 } })).status, 307)
  equal(there.hits, 1)
})

test('headers configured for one upstream do not travel to another', async t => {
  const [client, here, there] = await start(t, ({ url }) => to(url), (from, other) => ({
    redirects: 1,
    upstreams: {
      from: { url: from.url, headers: { authorization: 'of the first' } },
      other: { url: other.url, headers: { 'x-of': 'the second' } },
    },
  }))
  const seen = await client.get(here.url).json<Echo>()
  deepEqual([seen.headers['authorization'], seen.headers['x-of'], there.hits], [undefined, 'the second', 1])
})

test('https never leads to http, and nothing leads elsewhere than http and https', async t => {
  const there = await closing(t, startServer(echo))
  const locations: Record<string, string> = {
    '/http': there.url, '/file': 'file:///etc/passwd', '/ftp': 'ftp://127.0.0.1/', '/bad': 'http://[', '/js': 'javascript:1',
  }
  const here = await closing(t, startServer({
    protocol: 'https', handler: byPath(Object.fromEntries(Object.entries(locations).map(([path, url]) => [path, to(url)]))),
  }))
  const client = await closing(t, createClient({ redirects: 5, pool: { tls: { ca: tls.cert } } }))
  for (const path of Object.keys(locations)) equal((await client.get(here.url + path)).status, 302, path)
  equal(there.hits, 0)
})

test('credentials in a location are dropped', async t => {
  const [client, here] = await start(t, ({ port }) => to(`http://me:hunter2@127.0.0.1:${port}/`), () => ({ redirects: 5 }))
  const seen = await client.get(here.url)
  deepEqual([seen.json<Echo>().headers['authorization'], seen.text().includes('hunter2')], [undefined, false])
})

test('what may be called is asked again at each hop', async t => {
  for (const allow of ['configured', 'list'] as const) {
    const [client, here, there] = await start(t, ({ url }) => to(url), ({ url }) => ({
      redirects: 5, upstreams: { here: { url } }, allow: allow === 'list' ? [url] : allow,
    }))
    equal((await failure(client.get(here.url), OptionError)).option, 'url')
    await failure(client.get(there.url), OptionError)
    equal(there.hits, 0)
  }
})

test('one deadline covers all hops', async t => {
  const gate = hold()
  const [client, here] = await start(t, () => byPath({ '/': to('/next'), '/next': gate.handler }), () => ({ redirects: 5 }))
  const started = performance.now()
  const error = await failure(client.get(here.url, { deadline: 200, attemptTimeout: 200 }), DeadlineExceededError)
  ok(performance.now() - started >= 199, error.message)
  equal(gate.waiting, 1)
  await eventually(() => gate.waiting === 0)
})

test("the call's own limit of an attempt holds at each hop", async t => {
  const gate = hold()
  const [client, here] = await start(t, () => byPath({ '/': to('/next'), '/next': gate.handler }), () => ({ redirects: 5 }))
  const error = await failure(client.get(here.url, { attemptTimeout: 100, retry: false }), AttemptTimeoutError)
  deepEqual([error.timeout, error.path], [100, '/next'])
})

test('the last reply is judged: its status, and its stream', async t => {
  const [client, here] = await start(t, ({ url }) => byPath({ '/gone': to('/nowhere'), '/': to(url) }), () => ({ redirects: 5 }))
  equal((await failure(client.get(`${here.url}/gone`), StatusError)).status, 404)
  const { status: code, body } = await client.stream('GET', here.url)
  deepEqual([code, (await body.toArray()).length], [200, 1])
  deepEqual(client.snapshot().map(({ active }) => active), [0, 0])
})

test('a call that is being redirected when the client closes is finished, and leaves no connection', async t => {
  const slow = hold((request, response) => to(there.url)(request, response))
  const gate = hold(echo)
  const [client, here, there] = await start(t, () => slow.handler, () => ({ redirects: 5 }))
  there.handle(gate.handler)
  const call = client.get(here.url)
  await eventually(() => slow.waiting === 1)
  const closed = client.close()
  await failure(client.get(here.url), DrainingError)
  slow.release()
  await eventually(() => gate.waiting === 1)
  gate.release()
  equal((await call).status, 200)
  await inTime(closed)
  await eventually(() => here.connections + there.connections === 0)
})
