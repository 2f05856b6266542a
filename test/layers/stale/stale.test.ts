import { deepEqual, equal, ok } from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  channels, CircuitOpenError, ConnectionError, createClient, DeadlineExceededError, DrainingError, LimitExceededError,
  ResponseError, StatusError, UpstreamError, type AttemptStartEvent, type CallOptions, type Client,
  type ClientOptions, type Reply, type RescuedEvent, type UpstreamOptions,
} from '../../../src/index.ts'
import {
  garbage, hang, json, refuse, retryAfter, status, testWorld, type Script, type ScriptedUpstream, type World,
} from '../../../src/testing/index.ts'
import { closing, eventually } from '../../support/check.ts'
import { failure } from '../../support/failure.ts'
import { byPath, hold, inTurn, json as jsonOf, startServer, status as statusOf } from '../../support/server.ts'

type Headers = Record<string, string | string[]>
const ORIGIN = 'http://prices'

interface Setting {
  readonly world: World
  readonly prices: ScriptedUpstream
  readonly client: Client
  /** Makes a GET, and lets time pass until it ends. */
  get(options?: CallOptions, path?: string): Promise<Reply>
}

/** An upstream whose GETs are kept; nothing is retried, and no circuit opens, unless the test says so. */
const setUp = (options: ClientOptions = {}): Setting => {
  const world = testWorld()
  const prices = world.upstream(ORIGIN).always(json({ price: 7 }))
  const client = createClient({ retry: false, breaker: false, stale: true, ...options, ...world.options })
  return { world, prices, client, get: (own, path = '/list') => world.until(client.get(ORIGIN + path, own)) }
}
const price = (reply: Reply): unknown => reply.json<{ price: unknown }>().price

describe('the last good reply stands in for', () => {
  const cases: readonly (readonly [what: string, script: Script, kind: abstract new (...args: never[]) => UpstreamError])[] = [
    ['a refused connection', refuse(), ConnectionError],
    ['a broken response', garbage(), ResponseError],
    ['a call that takes too long', hang(), DeadlineExceededError],
    ...[500, 502, 503, 504].map(code => [`a ${code}`, status(code), StatusError] as const),
    ['an upstream that asks for less by 503', retryAfter(9), StatusError],
  ]
  for (const [what, script, kind] of cases) {
    test(what, async () => {
      const { prices, get } = setUp()
      const good = await get()
      equal(good.stale, undefined)
      prices.always(script)
      const reply = await get()
      deepEqual([reply.status, price(reply), reply.attempts, reply.ok], [200, 7, 1, true])
      ok(reply.stale?.error instanceof kind, String(reply.stale?.error))
    })
  }

  test('a refusal by an open circuit, and says when it will be tried again', async () => {
    const { world, prices, get } = setUp({ breaker: { consecutive: 2, probeShare: 0, openTime: 5_000 } })
    await get()
    prices.always(status(503))
    await get()
    await get()
    await world.advance(100)
    const { length } = prices.attempts
    const reply = await get()
    const error = reply.stale?.error
    ok(error instanceof CircuitOpenError && (error.retryAfter ?? 0) > 0)
    deepEqual([prices.attempts.length, reply.attempts, price(reply)], [length, 0, 7])
  })

  test('a refusal by the limit', async () => {
    const { world, prices, client, get } = setUp({ limit: { max: 1, queue: 0 } })
    await get()
    prices.next(hang())
    const busy = client.get(`${ORIGIN}/list`)
    await world.advance(1)
    ok((await get()).stale?.error instanceof LimitExceededError)
    ok((await world.until(busy)).stale?.error instanceof DeadlineExceededError)
  })

  test('the end of all retries', async () => {
    const { prices, get } = setUp({ retry: { limit: 2 } })
    await get()
    prices.always(status(502))
    const reply = await get()
    deepEqual([reply.attempts, reply.stale?.error.stopped, prices.attempts.length], [3, 'limit', 4])
  })

  test('a bad status that the caller wants as a reply', async () => {
    const { prices, get } = setUp({ throwOnStatus: false })
    await get()
    prices.always(status(503, { 'retry-after': '3' }, 'down'))
    const reply = await get()
    const error = reply.stale?.error
    ok(error instanceof StatusError)
    deepEqual([reply.status, error.status, error.body, error.attempts, error.path], [200, 503, 'down', 1, '/list'])
    equal((await get({ stale: false })).status, 503)
  })
})

describe('it does not stand in for', () => {
  for (const code of [400, 401, 403, 404, 408, 410, 422, 429, 501, 505]) {
    test(`a ${code}`, async () => {
      const { prices, get } = setUp()
      await get()
      prices.always(status(code))
      equal((await failure(get(), StatusError)).status, code)
    })
  }

  test("the caller's own abort, even with an error of ours as its reason", async () => {
    const { world, prices, client, get } = setUp()
    await get()
    prices.always(refuse())
    const reason = (await get()).stale!.error
    prices.always(hang())
    const controller = new AbortController()
    const call = client.get(`${ORIGIN}/list`, { signal: controller.signal })
    await world.advance(1)
    controller.abort(reason)
    equal(await failure(call, ConnectionError), reason)
  })

  test('a call of a client that is being closed or destroyed', async () => {
    const { world, prices, client, get } = setUp()
    await get()
    prices.always(hang())
    const call = failure(client.get(`${ORIGIN}/list`), UpstreamError)
    await world.advance(1)
    await world.until(client.destroy())
    equal((await call).stopped, 'draining')
    await failure(client.get(`${ORIGIN}/list`), DrainingError)
  })

  test('a call that has switched it off, a streamed one, or one for a part', async () => {
    const { world, prices, client, get } = setUp()
    await get()
    prices.always(status(502))
    await failure(get({ stale: false }), StatusError)
    await failure(get({ headers: { range: 'bytes=0-1' } }), StatusError)
    await failure(world.until(client.stream('GET', `${ORIGIN}/list`)), StatusError)
    await failure(world.until(client.head(`${ORIGIN}/list`)), StatusError)
    ok((await get()).stale !== undefined)
  })

  test('any call of a client without the option', async () => {
    const { prices, get } = setUp({ stale: false })
    await get()
    prices.always(status(502))
    await failure(get(), StatusError)
  })
})

describe('its age', () => {
  test('is told, counts from what the reply said of it, and ends at maxAge', async () => {
    const { world, prices, get } = setUp({ stale: { maxAge: 60_000 } })
    prices.next(json({ price: 7 }, 200, { age: '20' }))
    await get()
    prices.always(refuse())
    await world.advance(30_500)
    const reply = await get()
    deepEqual([reply.stale?.age, reply.headers['age']], [50_500, '50'])
    await world.advance(9_500)
    equal((await get()).stale?.age, 60_000)
    await world.advance(1)
    await failure(get(), ConnectionError)
  })

  const cases = [
    ['max-age=10, must-revalidate', 10_000], ['max-age=10, stale-if-error=5', 15_000], ['s-maxage=10', 10_000],
    ['stale-if-error=3', 3_000], ['max-age=10', 60_000],
  ] as const
  for (const [control, most] of cases) {
    test(`ends after ${most} ms with ${control}`, async () => {
      const { world, prices, get } = setUp({ stale: { maxAge: 60_000 } })
      prices.next(json({ price: 7 }, 200, { 'cache-control': control }))
      await get()
      prices.always(refuse())
      await world.advance(most)
      equal((await get()).stale?.age, most)
      await world.advance(1)
      await failure(get(), ConnectionError)
    })
  }

  test('ends earlier for a call that says so', async () => {
    const { world, prices, get } = setUp()
    await get({ headers: { 'cache-control': 'max-age=5' } })
    prices.always(refuse())
    const wanting = (): Promise<Reply> => get({ headers: { 'cache-control': 'max-age=5' } })
    await world.advance(5_000)
    equal((await wanting()).stale?.age, 5_000)
    await world.advance(1)
    await failure(wanting(), ConnectionError)
  })
})

describe('what is kept', () => {
  const never: readonly Headers[] = [
    { 'cache-control': 'no-store' }, { 'cache-control': 'private' }, { 'cache-control': 'no-cache' }, { 'set-cookie': 'a=b' },
    { vary: '*' },
  ]
  for (const headers of never) {
    test(`is nothing with ${JSON.stringify(headers)}, which takes away what was`, async () => {
      const { prices, client, get } = setUp()
      await get()
      equal(client.snapshot()[0]?.stale.entries, 1)
      prices.next(json({ price: 8 }, 200, headers)).always(refuse())
      equal(price(await get()), 8)
      await failure(get(), ConnectionError)
      deepEqual(client.snapshot()[0]?.stale, { entries: 0, bytes: 0 })
    })
  }

  test('is never served for a request that differs in any header field but those of tracing', async () => {
    const { prices, get } = setUp()
    const [one, other] = [{ 'x-user': '1' }, { 'x-user': '2' }]
    prices.always((attempt, wire) => json({ price: attempt.headers['x-user'] })(attempt, wire))
    await get({ headers: one })
    await get({ headers: other })
    prices.always(refuse())
    deepEqual([price(await get({ headers: one })), price(await get({ headers: other }))], ['1', '2'])
    equal(price(await get({ headers: { ...one, traceparent: 'x' } })), '1')
    for (const headers of [{}, { 'x-user': '3' }, { ...one, accept: 'a/b' }]) await failure(get({ headers }), ConnectionError)
    await failure(get({ headers: one, query: { a: 1 } }), ConnectionError)
    await failure(get({ headers: one, decode: false }), ConnectionError)
  })

  test("is not the reply to a caller's credentials unless it is for all, but is that to the service's own", async () => {
    for (const name of ['authorization', 'cookie']) {
      const { prices, get } = setUp()
      await get({ headers: { [name]: 's' } })
      prices.next(json({ price: 8 }, 200, { 'cache-control': 'public' }))
      await get({ headers: { [name]: 's' } }, '/public')
      prices.always(refuse())
      await failure(get({ headers: { [name]: 's' } }), ConnectionError)
      equal(price(await get({ headers: { [name]: 's' } }, '/public')), 8)
      await failure(get({ headers: { [name]: 't' } }, '/public'), ConnectionError)
    }
    const { prices, client, get } = setUp({ upstreams: { [ORIGIN]: { headers: { authorization: 'service' } } } })
    await get()
    prices.always(refuse())
    equal(price(await get()), 7)
    client.configure(ORIGIN, { headers: { authorization: 'another' } })
    await failure(get(), ConnectionError)
  })

  test('is not the reply to a request to which a listener has added more than tracing headers', async t => {
    let field = 'x-request-id'
    const add = ({ setHeader }: AttemptStartEvent): void => { setHeader(field, 'ann') }
    channels.attemptStart.subscribe(add)
    t.after(() => channels.attemptStart.unsubscribe(add))
    const { prices, get } = setUp()
    await get()
    prices.always(status(503))
    equal(price(await get()), 7)
    field = 'authorization'
    prices.always(json({ price: 8 }))
    await get()
    prices.always(status(503))
    await failure(get(), StatusError)
  })

  test('goes with an answer that says it is no longer so', async () => {
    for (const code of [301, 404, 403]) {
      const { prices, get } = setUp({ throwOnStatus: code !== 404 })
      await get()
      prices.next(status(code)).always(refuse())
      await get().catch(() => undefined)
      await failure(get(), ConnectionError)
    }
    const { prices, get } = setUp()
    await get()
    prices.next(status(429)).always(refuse())
    await failure(get(), StatusError)
    ok((await get()).stale !== undefined, 'to ask for less says nothing about what was asked for')
  })

  test('goes with a change of the same URL that ended well, whatever the header fields', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PURGE']) {
      const { world, prices, client, get } = setUp()
      for (const headers of [{}, { accept: 'a/b' }]) await get({ headers })
      await get({}, '/other')
      prices.next(status(500), status(404), status(204)).always(refuse())
      const change = (): Promise<Reply> => world.until(client.request(method, `${ORIGIN}/list`, { throwOnStatus: false }))
      await change()
      await change()
      ok((await world.until(client.get(`${ORIGIN}/other`, { throwOnStatus: false }))).status === 204, 'a good reply in between')
      equal(client.snapshot()[0]?.stale.entries, 3, 'what failed has changed nothing')
      prices.next(status(204))
      await change()
      equal(client.snapshot()[0]?.stale.entries, 1)
      await failure(get(), ConnectionError)
    }
  })

  test('is bounded by the length of a body, of all of them together, and of what a caller takes', async () => {
    const { prices, client, get } = setUp({ stale: { maxBodySize: 100 }, maxStaleSize: 20_000 })
    prices.always(status(200, {}, 'x'.repeat(101)))
    await get()
    equal(client.snapshot()[0]?.stale.entries, 0)
    prices.always(status(200, {}, 'x'.repeat(100)))
    for (let page = 0; page < 200; page++) await get({ query: { page } })
    const { entries = 0, bytes = 0 } = client.snapshot()[0]?.stale ?? {}
    ok(entries > 5 && bytes <= 20_000, `${entries} entries, ${bytes} bytes`)
    prices.always(refuse())
    await failure(get({ query: { page: 0 } }), ConnectionError)
    await failure(get({ query: { page: 199 }, maxBodySize: 99 }), ConnectionError)
    equal((await get({ query: { page: 199 }, maxBodySize: 100 })).bytes().length, 100)
  })

  test("is each caller's own", async () => {
    const { prices, get } = setUp()
    const first = await get()
    first.bytes().fill(0)
    prices.always(refuse())
    ;(await get()).bytes().fill(0)
    equal(price(await get()), 7)
  })
})

test('configure() switches it on, changes it, and switches it off', async () => {
  const upstream: UpstreamOptions = { stale: false }
  const { world, prices, client, get } = setUp({ upstreams: { [ORIGIN]: upstream } })
  await get()
  client.configure(ORIGIN, { stale: true })
  await get()
  ok(client.explain(ORIGIN).text.includes('when it fails: the last good reply up to 3600000 ms old'))
  ok(client.explain(ORIGIN).text.includes('1 last good reply kept'))
  prices.always(refuse())
  await world.advance(10)
  equal((await get()).stale?.age, 10)
  client.configure(ORIGIN, { stale: { maxAge: 5 } })
  await failure(get(), ConnectionError)
  client.configure(ORIGIN, { stale: { maxAge: 50 } })
  ok((await get()).stale !== undefined)
  client.configure(ORIGIN, { stale: false })
  await failure(get(), ConnectionError)
})

test('it is told over a channel, after the end of the call that failed', async t => {
  const { world, prices, get } = setUp({ name: 'shop' })
  const seen: (RescuedEvent | string)[] = []
  const rescued = (event: RescuedEvent): void => { seen.push(event) }
  const ended = ({ error = 'well' }: { error?: string }): void => { seen.push(error) }
  channels.rescued.subscribe(rescued)
  channels.callEnd.subscribe(ended)
  t.after(() => {
    channels.rescued.unsubscribe(rescued)
    channels.callEnd.unsubscribe(ended)
  })
  await get({ query: { token: 'hunter2' } })
  prices.always(refuse())
  await world.advance(5)
  await get({ query: { token: 'hunter2' } })
  const event = { client: 'shop', upstream: ORIGIN, method: 'GET', by: 'stale', error: 'ERR_CONNECTION', age: 5 }
  deepEqual(seen, ['well', 'ERR_CONNECTION', event])
})

describe('over real sockets', () => {
  test('an upstream that crashes is answered for, from its first refused connection to its open circuit', async t => {
    const server = await closing(t, startServer(jsonOf({ price: 7 })))
    const client = await closing(t, createClient({ retry: { limit: 1, backoff: 0 }, stale: true, deadline: 2_000 }))
    const gz = { headers: { 'accept-encoding': 'identity' } }
    equal((await client.get(server.url, gz)).stale, undefined)
    await server.close()
    const codes: (string | undefined)[] = []
    for (let call = 0; call < 10; call++) {
      const reply = await client.get(server.url, gz)
      equal(price(reply), 7)
      codes.push(reply.stale?.error.code)
    }
    equal(codes[0], 'ERR_CONNECTION')
    equal(codes.at(-1), 'ERR_CIRCUIT_OPEN')
  })

  test('a redirect is followed to a reply that is stale', async t => {
    const moved = inTurn(jsonOf({ price: 7 }), statusOf(503))
    const server = await closing(t, startServer(byPath({ '/old': statusOf(302, { location: '/new' }), '/new': moved })))
    const client = await closing(t, createClient({ retry: false, stale: true, redirects: 1 }))
    await client.get(`${server.url}/old`)
    const reply = await client.get(`${server.url}/old`)
    deepEqual([price(reply), reply.stale?.error.path], [7, '/new'])
  })

  test('a hundred callers of a slow upstream get the one reply there was', async t => {
    const gate = hold()
    const server = await closing(t, startServer(jsonOf({ price: 7 })))
    const client = await closing(t, createClient({ retry: false, stale: true }))
    await client.get(server.url)
    server.handle(gate.handler)
    const calls = Array.from({ length: 100 }, () => client.get(server.url, { deadline: 300 }))
    await eventually(() => gate.waiting > 0)
    const replies = await Promise.all(calls)
    ok(replies.every(reply => price(reply) === 7 && reply.stale !== undefined))
  })
})
