import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { once } from 'node:events'
import { buffer, text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import { randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  createClient, DeadlineExceededError, LimitExceededError, OptionError,
  ResponseError, StatusError, type Client, type UpstreamSnapshot,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { closing, eventually, leaks } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import * as hostile from '../support/hostile.ts'
import { byPath, hold, inTurn, startServer, status, stream, type Handler, type TestServer } from '../support/server.ts'

const start = async (t: TestContext, handler: Handler, options: ClientOptions = {}): Promise<[TestServer, Client]> =>
  [await closing(t, startServer(handler)), await closing(t, createClient({ retry: false, ...options }))]

const only = (client: Client): UpstreamSnapshot => client.snapshot()[0]!
const evidence = (client: Client): number[] => only(client).endpoints.map(({ failureRate, calls }) => failureRate * calls)

/** Chunks without end, and how many have been asked for. */
const endless = (headers = {}): { handler: Handler; readonly made: number } => {
  let made = 0
  const chunk = gzipSync(randomBytes(10_000))
  const chunks = function* (): Generator<Uint8Array> { for (let i = 0; i < 1e6; i++, made++) yield chunk }
  return { handler: (request, response) => stream(chunks(), headers)(request, response), get made(): number { return made } }
}

/** Waits until a count has stood still for a while. */
const standsStill = async (count: () => number): Promise<number> => {
  let [last, since] = [-1, 0]
  await eventually(() => {
    if (count() !== last) [last, since] = [count(), performance.now()]
    return performance.now() - since > 100
  }, { what: 'it stands still' })
  return last
}

suite('a streamed reply', () => {
  test('comes at its headers, and its body is a Readable', async t => {
    const [{ url }, client] = await start(t, stream(['one ', 'two ', 'three'], { 'x-a': 'b' }))
    const reply = await client.stream('GET', url)
    deepEqual([reply.status, reply.headers['x-a'], reply.attempts], [200, 'b', 1])
    for (const read of [() => reply.text(), () => reply.json(), () => reply.bytes()]) throws(read, TypeError)
    equal(await text(reply.body), 'one two three')
    const named = await closing(t, createClient({ upstreams: { it: { url } } }))
    equal(await text((await named.upstream('it').stream('GET', '/')).body), 'one two three')
  })

  test('is not taken faster than it is read', async t => {
    const source = endless()
    const [{ url }, client] = await start(t, source.handler)
    const { body } = await client.stream('GET', url)
    const made = await standsStill(() => source.made)
    ok(made < 2_000, `${made} chunks of 10 kB were taken unread`)
    await body[Symbol.asyncIterator]().next()
    body.destroy()
  })

  test('holds its permit until the headers have come, and a place among the bodies in transit until the body ends', async t => {
    const gate = hold((_request, response) => void response.end('end'))
    const [{ url }, client] = await start(t, byPath({
      '/': (request, response) => {
        response.writeHead(200).write('begin ')
        return gate.handler(request, response)
      },
      '/other': status(204),
    }), { limit: { max: 1, queue: 0, bodies: 1 } })
    const { body } = await client.stream('GET', url)
    deepEqual(only(client).limit, { max: 1, inFlight: 0, queued: 0, bodies: 1 })
    equal((await client.get(`${url}/other`)).status, 204)
    const error = await failure(client.stream('GET', `${url}/other`), LimitExceededError)
    deepEqual([error.kind, error.limit], ['bodies', 1])
    gate.release()
    equal(await text(body), 'begin end')
    deepEqual([only(client).limit.bodies, only(client).active], [0, 0])
    const { body: next } = await client.stream('GET', `${url}/other`)
    equal(await text(next), '')
  })

  for (const [how, giveUp] of [
    ['destroys it', async body => void body.destroy()],
    ['destroys it with an error', async body => void body.on('error', () => undefined).destroy(new Error('mine'))],
    ['breaks out of its loop', async body => { for await (const _ of body) break }],
  ] satisfies [string, (body: Awaited<ReturnType<Client['stream']>>['body']) => Promise<void>][]) {
    for (const coding of ['identity', 'gzip']) {
      test(`frees socket and permit when its reader ${how} (${coding}), which proves nothing bad`, async t => {
        const [server, client] = await start(t, endless({ 'content-encoding': coding }).handler, { limit: { max: 1 } })
        const { body } = await client.stream('GET', server.url)
        await once(body, 'readable')
        await giveUp(body)
        await eventually(() => only(client).limit.inFlight + only(client).active + server.connections === 0)
        deepEqual(evidence(client), [0])
        server.handle(status(200))
        equal((await client.get(server.url)).status, 200)
      })
    }
  }

  test('is tried again until its headers are there, and no longer', async t => {
    const [server, client] = await start(t, inTurn(status(503), stream(['fine'])), { retry: { backoff: 0 } })
    const reply = await client.stream('GET', server.url)
    deepEqual([reply.attempts, await text(reply.body)], [2, 'fine'])
    const hostileServer = await closing(t, hostile.startHostile(hostile.truncatedChunked()))
    const { body } = await client.stream('GET', hostileServer.url)
    await failure(text(body), ResponseError)
    equal(hostileServer.requests, 1)
  })

  test('with a status of 400 or more is an error, and its body is let go', async t => {
    const [server, client] = await start(t, (_request, response) => void response.writeHead(404).write('x'.repeat(10_000)))
    const error = await failure(client.stream('GET', server.url), StatusError)
    equal(error.status, 404)
    await eventually(() => server.connections + only(client).limit.inFlight === 0)
    const { status: code, body } = await client.stream('GET', server.url, { throwOnStatus: false })
    equal(code, 404)
    body.destroy()
  })
})

suite('a streamed body that goes wrong', () => {
  const cut: [string, () => hostile.Fault][] = [
    ['truncatedChunked', hostile.truncatedChunked], ['resetMidBody', hostile.resetMidBody],
    ['shortContentLength', hostile.shortContentLength], ['badChunkSize', hostile.badChunkSize],
    ['closeDelimited', () => hostile.closeDelimited('half', 'reset')],
    ['truncatedGzip', hostile.truncatedGzip], ['lyingContentEncoding', hostile.lyingContentEncoding],
  ]
  for (const [name, make] of cut) {
    test(`${name}: its reader gets a ResponseError, and the circuit hears of it`, async t => {
      const fault = make()
      const server = await closing(t, hostile.startHostile(fault))
      const client = await closing(t, createClient({ retry: false }))
      const { body } = await client.stream('GET', server.url)
      const error = await failure(text(body), ResponseError)
      deepEqual([error.code, error.sent, fault.fired], ['ERR_BAD_RESPONSE', 'maybe', 1])
      await eventually(() => only(client).active + only(client).limit.inFlight === 0)
      deepEqual(evidence(client), [1])
    })
  }

  test('has no bound but the one asked for, before and after decoding', async t => {
    const plain = 'x'.repeat(11 * 1024 * 1024)
    const [{ url }, client] = await start(t, status(200, {}, plain), { maxBodySize: 10 })
    equal((await text((await client.stream('GET', url)).body)).length, plain.length)
    const error = await failure(client.stream('GET', url, { maxBodySize: 1_000 }).then(({ body }) => text(body)), ResponseError)
    equal(error.reason, 'body longer than 1000 bytes')
    const server = await closing(t, hostile.startHostile(hostile.gzipBomb()))
    const bomb = await client.stream('GET', server.url, { maxBodySize: 1e6 })
    equal((await failure(text(bomb.body), ResponseError)).reason, 'body longer than 1000000 bytes when decoded')
    await eventually(() => client.snapshot().every(({ active }) => active === 0))
    deepEqual(client.snapshot().map(({ endpoints }) => endpoints[0]?.failureRate), [0, 0], 'a large body is no illness')
  })

  test('that nobody reads to the end is ended by whoever gives it up, though all of it has come', async t => {
    const [{ url }, client] = await start(t, status(200, { 'content-encoding': 'gzip' }, gzipSync('x'.repeat(1e6))))
    const { body } = await client.stream('GET', url)
    await standsStill(() => body.readableLength)
    equal(only(client).limit.bodies, 1)
    body.destroy()
    await eventually(() => only(client).limit.bodies + only(client).active === 0)
    deepEqual(evidence(client), [0])
  })

  test('is decoded as it comes', async t => {
    const body = gzipSync('hello, '.repeat(10_000))
    const [{ url }, client] = await start(t, stream([body.subarray(0, 40), body.subarray(40)], { 'content-encoding': 'gzip' }))
    equal(await text((await client.stream('GET', url)).body), gunzipSync(body).toString())
  })

  for (const streamed of [true, false]) {
    test(`keeps its coding if that is wanted, ${streamed ? 'streamed' : 'buffered'}`, async t => {
      const packed = gzipSync('hello, '.repeat(1_000))
      const [{ url }, client] = await start(t, status(200, { 'content-encoding': 'gzip' }, packed))
      // The bound is of what comes, as nothing is unpacked.
      const options = { decode: false, maxBodySize: packed.length }
      const reply = await client[streamed ? 'stream' : 'request']('GET', url, options)
      const body = streamed ? await buffer(reply.body) : reply.bytes()
      ok(body.equals(packed))
      equal(reply.headers['content-encoding'], 'gzip')
      await failure(client.get(url, { decode: false, maxBodySize: packed.length - 1 }), ResponseError)
      await failure(client.get(url, { decode: 'no' as unknown as boolean }), OptionError)
    })
  }

  for (const coding of ['identity', 'gzip']) {
    test(`ends with its deadline, unread and unheard (${coding}), and takes nothing else with it`, async () => {
      const watch = leaks()
      const server = await startServer(endless({ 'content-encoding': coding }).handler)
      const client = createClient({ retry: false, deadline: 200, attemptTimeout: 100, breaker: { window: 1_000 } })
      const started = performance.now()
      const { body } = await client.stream('GET', server.url)
      await eventually(() => body.destroyed)
      const took = performance.now() - started
      ok(took >= 199 && took < 1_000, `${took} ms: the attempt's own limit ends with the headers`)
      const error = await failure(text(body), DeadlineExceededError)
      deepEqual([error.phase, error.timeout, error.verdict], ['caller', 200, 'none'], 'it is the reader who was waited for')
      deepEqual(evidence(client), [0])
      await eventually(() => server.connections + only(client).limit.inFlight + only(client).active === 0)
      await client.close()
      await server.close()
      await watch.assertNone()
    })
  }

  test('ends with the reason of an abort', async t => {
    const [server, client] = await start(t, endless().handler)
    for (const reason of [new Error('enough'), 'a string']) {
      const controller = new AbortController()
      const { body } = await client.stream('GET', server.url, { signal: controller.signal })
      controller.abort(reason)
      await rejects(text(body), (error: Error) => error === reason || error.cause === reason)
      await eventually(() => server.connections + only(client).active === 0)
    }
    deepEqual(evidence(client), [0])
  })
})
