import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import {
  channels, CircuitOpenError, ConnectionError, createClient, DeadlineExceededError, DrainingError, OptionError, StatusError,
  type UpstreamError, type CallOptions, type Client, type ClientOptions, type Fallback, type FallbackRequest, type Reply,
  type RescuedEvent,
} from '../../src/index.ts'
import { hang, json, refuse, status, testWorld, type ScriptedUpstream, type World } from '../../src/testing/index.ts'
import { closing } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { json as jsonOf, startServer, status as statusOf } from '../support/server.ts'

const ORIGIN = 'http://prices'

interface Setting {
  readonly world: World
  readonly prices: ScriptedUpstream
  readonly client: Client
  /** Makes a GET, and lets time pass until it ends. */
  get(options?: CallOptions): Promise<Reply>
}

/** An upstream that is down; nothing is retried, and no circuit opens, unless the test says so. */
const setUp = (fallback: Fallback | false, options: ClientOptions = {}): Setting => {
  const world = testWorld()
  const prices = world.upstream(ORIGIN).always(refuse())
  const client = createClient({ retry: false, breaker: false, deadline: 1_000, fallback, ...options, ...world.options })
  return { world, prices, client, get: own => world.until(client.get(`${ORIGIN}/list`, own)) }
}
const never = (): never => { throw new Error('was asked') }
const later = (world: World, ms: number): Promise<void> => new Promise(resolve => { world.clock.after(ms, () => { resolve() }) })

describe('a fallback answers', () => {
  test('with JSON, text, bytes or nothing, a status and header fields', async () => {
    const cases = [
      [{ json: { price: 1 } }, 200, '{"price":1}', { 'content-type': 'application/json' }],
      [{ json: null, status: 203, headers: { 'Content-Type': 'a/b', 'X-List': ['1', '2'] } }, 203, 'null',
        { 'content-type': 'a/b', 'x-list': ['1', '2'] }],
      [{ body: 'text', headers: { a: 'b' } }, 200, 'text', { a: 'b' }],
      [{ body: new Uint8Array([104, 105]) }, 200, 'hi', {}],
      [{ status: 503 }, 503, '', {}],
    ] as const
    for (const [given, code, text, headers] of cases) {
      const { get } = setUp(() => given)
      const reply = await get()
      deepEqual([reply.status, reply.text(), reply.headers, reply.attempts], [code, text, headers, 1])
      ok(reply.fallback?.error instanceof ConnectionError && reply.stale === undefined)
    }
  })

  test('with a reply from elsewhere, which stays what it is', async () => {
    const { world, client, get } = setUp(false)
    world.upstream('http://other').always(json({ price: 2 }, 200, { etag: 'x' }))
    const given = await world.until(client.get('http://other/'))
    for (let call = 0; call < 2; call++) {
      const reply = await get({ fallback: () => given })
      deepEqual([reply.json(), reply.headers['etag'], reply.fallback?.error.upstream], [{ price: 2 }, 'x', ORIGIN])
      reply.bytes().fill(0)
    }
    deepEqual([given.json(), given.fallback], [{ price: 2 }, undefined])
  })

  test('a streamed call, too', async () => {
    const { world, client } = setUp(false)
    world.upstream('http://other').always(json({ price: 2 }))
    const buffered = await world.until(client.get('http://other/'))
    const streamed = await world.until(client.stream('GET', 'http://other/'))
    const text = async (fallback: Fallback): Promise<string> => {
      const reply = await world.until(client.stream('GET', `${ORIGIN}/`, { fallback }))
      ok(reply.body instanceof Readable && reply.fallback !== undefined)
      return world.until(reply.body.toArray()).then(chunks => Buffer.concat(chunks as Buffer[]).toString())
    }
    equal(await text(() => ({ body: 'made up' })), 'made up')
    equal(await text(() => ({})), '')
    equal(await text(() => buffered), '{"price":2}')
    equal(await text(() => streamed), '{"price":2}')
  })

  test('whatever the method, knowing the error and what was asked, within what remains', async () => {
    const asked: [UpstreamError, FallbackRequest][] = []
    const { world, prices, client } = setUp((error, request) => {
      asked.push([error, request])
      return { json: 1 }
    })
    prices.always(async (attempt, wire) => {
      await wire.wait(300)
      await refuse()(attempt, wire)
    })
    const { signal } = new AbortController()
    const options = { query: { a: 1 }, headers: { 'X-User': '7' }, json: {}, signal }
    equal(await world.until(client.post(`${ORIGIN}/list`, options).json()), 1)
    const [[error, request] = []] = asked
    ok(error instanceof ConnectionError)
    deepEqual({ ...request, signal: undefined }, {
      upstream: ORIGIN, method: 'POST', target: '/list?a=1', deadline: 700, signal: undefined,
      headers: { 'content-type': 'application/json', 'x-user': '7' },
    })
    equal(request?.signal, signal)
  })

  test('for every failure of an upstream, and for no answer of it', async () => {
    for (const code of [500, 501, 502, 503, 504, 599, 408, 429]) {
      const { prices, get } = setUp(() => ({ json: 1 }))
      prices.always(status(code))
      equal((await get()).json(), 1, String(code))
    }
    for (const code of [400, 401, 403, 404, 409, 410, 422]) {
      const { prices, get } = setUp(never)
      prices.always(status(code))
      const error = await failure(get(), StatusError)
      deepEqual([error.status, error.fallbackError], [code, undefined])
    }
    const { prices, get } = setUp(never, { throwOnStatus: false })
    prices.always(status(503))
    equal((await get()).status, 503, 'a caller that wants the reply gets it')
  })

  test('for a refusal by an open circuit, without an attempt', async () => {
    const options = { breaker: {}, upstreams: { prices: { url: ORIGIN } } }
    const { world, prices, client } = setUp(({ code }) => ({ json: code }), options)
    client.upstream('prices').isolate()
    const reply = await world.until(client.upstream('prices').get('/'))
    ok(reply.fallback?.error instanceof CircuitOpenError)
    deepEqual([reply.json(), reply.attempts, prices.attempts.length], ['ERR_CIRCUIT_OPEN', 0, 0])
  })

  test('after a stale reply only, which is the better one', async () => {
    const { prices, get } = setUp(() => ({ json: 'made up' }), { stale: { maxAge: 10 } })
    equal((await get()).json(), 'made up')
    prices.next(json('good'))
    await get()
    const reply = await get()
    deepEqual([reply.json(), reply.fallback, reply.stale?.error.code], ['good', undefined, 'ERR_CONNECTION'])
  })
})

describe("the error is the caller's", () => {
  test('when the fallback has nothing to say', async () => {
    const error = await failure(setUp(() => undefined).get(), ConnectionError)
    deepEqual([error.fallbackError, error.timeline.some(({ event }) => event.includes('fallback'))], [undefined, false])
  })

  test('when there is none for this call', async () => {
    await failure(setUp(never).get({ fallback: false }), ConnectionError)
    equal((await setUp(never).get({ fallback: () => ({ json: 2 }) })).json(), 2)
  })

  test('when the fallback throws, at once or later: what it failed with is on the error, and in no log', async () => {
    const secret = new RangeError('redis://me:hunter2@cache')
    for (const fallback of [() => { throw secret }, async () => Promise.reject(secret)]) {
      const error = await failure(setUp(fallback).get(), ConnectionError)
      equal(error.fallbackError, secret)
      equal(error.timeline.at(-1)?.event, 'fallback failed: RangeError')
      equal(error.timeline[0]?.event.includes('fallback'), false)
      ok(!`${JSON.stringify(error)}${inspect(error)}${error.message}`.includes('hunter2'))
    }
  })

  test('when the fallback answers with nonsense', async () => {
    const nonsense: readonly (readonly [given: unknown, option: string])[] = [
      ['text', 'fallback()'], [7, 'fallback()'], [null, 'fallback()'], [{ price: 1 }, 'fallback().price'],
      [{ status: 700 }, 'fallback().status'], [{ body: {} }, 'fallback().body'], [{ json: 1n }, 'json'],
      [{ headers: { a: 'b\r\nc: d' } }, 'fallback().headers.a'], [{ json: 1, body: 'a' }, 'fallback().body'],
    ]
    for (const [given, option] of nonsense) {
      const { fallbackError } = await failure(setUp(() => given as { json: unknown }).get(), ConnectionError)
      ok(fallbackError instanceof OptionError, inspect(given))
      equal(fallbackError.option, option)
    }
    const { world, client, get } = setUp(false)
    world.upstream('http://other').always(json(1))
    const streamed = await world.until(client.stream('GET', 'http://other/'))
    ok((await failure(get({ fallback: () => streamed }), ConnectionError)).fallbackError instanceof OptionError)
    streamed.body.destroy()
  })

  test('when the fallback takes longer than what remains of the deadline', async () => {
    const { world, prices, get } = setUp(async () => {
      await later(world, 800)
      return { json: 'late' }
    })
    equal((await get()).json(), 'late')
    prices.always(async (attempt, wire) => {
      await wire.wait(300)
      await refuse()(attempt, wire)
    })
    const began = world.now
    const error = await failure(get(), ConnectionError)
    equal(world.now - began, 1_000)
    ok(String(error.fallbackError).includes('longer than the rest of the deadline'))
    await world.advance(1_000)
  })

  test('when nothing remains, but not if the fallback answers at once', async () => {
    for (const fallback of [() => ({ json: 1 }), async () => Promise.resolve({ json: 1 })]) {
      const { prices, get } = setUp(fallback)
      prices.always(hang())
      ok((await get()).fallback?.error instanceof DeadlineExceededError)
    }
    const { world, prices, get } = setUp(async () => later(world, 1).then(() => ({ json: 1 })))
    prices.always(hang())
    await failure(get(), DeadlineExceededError)
  })
})

describe('a fallback is not asked', () => {
  test("for the caller's own abort; one that comes while it works ends the call with its reason", async () => {
    const { world, prices, client } = setUp(never)
    prices.always(hang())
    const before = new AbortController()
    const call = client.get(ORIGIN, { signal: before.signal })
    await world.advance(1)
    before.abort(new Error('gave up'))
    equal((await failure(call, Error)).message, 'gave up')
    prices.always(refuse())
    const during = new AbortController()
    let release = (): void => {}
    const fallback = async (): Promise<undefined> => new Promise(resolve => { release = () => { resolve(undefined) } })
    const working = client.get(ORIGIN, { signal: during.signal, fallback })
    await world.advance(1)
    during.abort(new Error('gave up, too'))
    equal((await failure(working, Error)).message, 'gave up, too')
    release()
    equal(world.clock.pending, 0, 'no timer is left')
  })

  test('for a mistake of the caller, nor while the client is closing', async t => {
    const { world, client, get } = setUp(never)
    await failure(get({ attemptTimeout: 2_000 }), OptionError)
    const server = await closing(t, startServer())
    const real = await closing(t, createClient({ fallback: never }))
    await failure(real.get(server.url, { headers: { 'transfer-encoding': 'x' } }), OptionError)
    await world.until(client.close())
    await failure(get(), DrainingError)
  })
})

test('options: a fallback is a function or false, and configure() changes it', async () => {
  for (const fallback of [true, {}, 'a', null]) {
    await failure(Promise.resolve().then(() => createClient({ fallback: fallback as never })), OptionError)
    await failure(setUp(false).get({ fallback: fallback as never }), OptionError)
  }
  const { client, get } = setUp(() => ({ json: 1 }), { upstreams: { [ORIGIN]: {} } })
  equal((await get()).json(), 1)
  client.configure(ORIGIN, { fallback: () => ({ json: 2 }) })
  equal((await get()).json(), 2)
  ok(client.explain(ORIGIN).text.includes('when it fails: the fallback'))
  client.configure(ORIGIN, { fallback: false })
  await failure(get(), ConnectionError)
})

test('it is told over a channel', async t => {
  const seen: RescuedEvent[] = []
  const listener = (event: RescuedEvent): void => { seen.push(event) }
  channels.rescued.subscribe(listener)
  t.after(() => channels.rescued.unsubscribe(listener))
  await setUp(() => ({ json: 'hunter2' }), { name: 'shop' }).get({ query: { token: 'hunter2' } })
  deepEqual(seen, [{ client: 'shop', upstream: ORIGIN, method: 'GET', by: 'fallback', error: 'ERR_CONNECTION' }])
})

test('over real sockets, another upstream answers for one that is down', async t => {
  const [here, there] = [await closing(t, startServer(statusOf(503))), await closing(t, startServer(jsonOf({ price: 3 })))]
  const client: Client = await closing(t, createClient({
    retry: { limit: 1, backoff: 0 },
    upstreams: {
      here: {
        url: here.url,
        fallback: (_error, { target, deadline, signal }) => client.get(there.url + target, { deadline, signal }),
      },
    },
  }))
  for (let call = 0; call < 12; call++) {
    const reply = await client.upstream('here').get('/list', { query: { call } })
    deepEqual([reply.json(), reply.fallback?.error.upstream], [{ price: 3 }, 'here'])
  }
  equal(client.upstream('here').snapshot().endpoints[0]?.circuit, 'open')
  equal(there.hits, 12)
})
