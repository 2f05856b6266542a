import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  AttemptTimeoutError, channels, CircuitOpenError, ConnectionError, createClient, DeadlineExceededError, LimitExceededError,
  ResponseError, StatusError, UpstreamError, type AttemptStartEvent, type CallOptions, type Client,
  type ClientOptions, type Reply,
} from '../../src/index.ts'
import {
  garbage, hang, json, refuse, status, testWorld, type Script, type ScriptedUpstream, type World,
} from '../../src/testing/index.ts'
import { outcome } from '../support/calls.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { hold, json as jsonOf, startServer } from '../support/server.ts'

const ORIGIN = 'http://prices'

interface Setting {
  readonly world: World
  readonly prices: ScriptedUpstream
  readonly client: Client
  /** Begins a GET. */
  get(options?: CallOptions, path?: string): Promise<Reply>
}

/** An upstream that takes 100 ms for its reply; nothing is retried, and no circuit opens, unless the test says so. */
const setUp = (options: ClientOptions = {}): Setting => {
  const world = testWorld()
  const prices = world.upstream(ORIGIN).always(after(100, json({ price: 7 }, 200, { 'x-list': ['1', '2'] })))
  const client = createClient({ retry: false, breaker: false, deadline: 1_000, coalesce: true, ...options, ...world.options })
  return { world, prices, client, get: (own, path = '/list') => client.get(ORIGIN + path, own) }
}
const after = (ms: number, script: Script): Script => async (attempt, wire) => {
  await wire.wait(ms)
  await script(attempt, wire)
}

describe('equal calls in flight', () => {
  test('share one, and each gets a reply of its own', async () => {
    const { world, prices, get } = setUp()
    const first = get()
    await world.advance(40)
    const [one, two, three] = await world.until(Promise.all([first, get(), get()]))
    equal(prices.attempts.length, 1)
    deepEqual([one, two, three].map(reply => [reply.shared, reply.timings.total]), [[false, 100], [true, 60], [true, 60]])
    one.bytes().fill(0)
    ;(one.headers['x-list'] as string[]).push('3')
    for (const reply of [two, three]) {
      deepEqual([reply.json(), reply.headers['x-list'], reply.attempts], [{ price: 7 }, ['1', '2'], 1])
    }
  })

  test('are not those that come after', async () => {
    const { world, prices, get } = setUp()
    for (let call = 1; call <= 3; call++) {
      equal((await world.until(get())).shared, false)
      equal(prices.attempts.length, call)
    }
  })

  test('may differ in what traces them, in how long they wait, and in what stands in for them', async () => {
    const { world, prices, get } = setUp()
    const { signal } = new AbortController()
    const options: CallOptions[] = [
      {}, { headers: { traceparent: '1' } }, { headers: { 'x-request-id': '2' } }, { deadline: 900 }, { signal },
      { fallback: () => ({ json: 1 }) }, { stale: false }, { redirects: 2 },
    ]
    await world.until(Promise.all(options.map(own => get(own))))
    equal(prices.attempts.length, 1)
  })

  test('differ in everything else', async () => {
    const { world, prices, client, get } = setUp()
    const options: CallOptions[] = [
      {}, { headers: { authorization: '1' } }, { headers: { authorization: '2' } }, { headers: { accept: 'a/b' } },
      { query: { a: 1 } }, { throwOnStatus: false }, { maxBodySize: 99 }, { retry: false }, { retry: { limit: 1 } },
      { attemptTimeout: 500 }, { decode: false }, { idempotencyKey: 'a' }, { coalesce: false }, { coalesce: false },
      { body: 'a' }, { body: 'a' },
    ]
    await world.until(Promise.all([...options.map(own => get(own)), client.head(`${ORIGIN}/list`), get({}, '/')]))
    equal(prices.attempts.length, options.length + 2)
    const others = ['POST', 'PUT', 'OPTIONS'].flatMap(method => [1, 2].map(() => client.request(method, ORIGIN)))
    await world.until(Promise.all(others))
    const streams = await world.until(Promise.all([1, 2].map(() => client.stream('GET', ORIGIN))))
    for (const { body } of streams) body.destroy()
    equal(prices.attempts.length, options.length + 2 + 6 + 2)
  })

  test('of two upstreams, or of two clients, share nothing', async () => {
    const { world, prices, client, get } = setUp()
    const other = world.upstream('http://other')
    const another = createClient({ coalesce: true, ...world.options })
    await world.until(Promise.all([get(), client.get('http://other/list'), another.get(`${ORIGIN}/list`)]))
    deepEqual([prices.attempts.length, other.attempts.length], [2, 1])
  })

  test('share nothing unless somebody asked for it, and configure() changes that', async () => {
    const { world, prices, client, get } = setUp({ coalesce: false, upstreams: { [ORIGIN]: {} } })
    await world.until(Promise.all([get(), get()]))
    equal(prices.attempts.length, 2)
    client.configure(ORIGIN, { coalesce: true })
    await world.until(Promise.all([get(), get()]))
    equal(prices.attempts.length, 3)
    ok(client.explain(ORIGIN).text.includes('identical GETs and HEADs in flight share one call'))
  })

  test('are joined no more once something may have changed: who writes must read what was written', async () => {
    for (const script of [status(204), status(500)]) {
      const { world, prices, client, get } = setUp()
      const before = get()
      await world.advance(10)
      prices.next(script)
      const written = client.put(`${ORIGIN}/other`, { body: 'a', throwOnStatus: false })
      await world.until(written)
      const behind = get()
      await world.until(Promise.all([before, behind]))
      equal(prices.attempts.length, 3)
    }
  })
})

describe('who gives up', () => {
  test('leaves the others alone, be it the first or another', async () => {
    for (const leaving of [0, 1, 2]) {
      const { world, prices, get } = setUp()
      const controllers = [0, 1, 2].map(() => new AbortController())
      const calls = controllers.map(({ signal }) => outcome(get({ signal })))
      await world.advance(50)
      const reason = new Error('gave up')
      controllers[leaving]!.abort(reason)
      await world.advance(0)
      equal(calls[leaving]!.error, reason)
      await world.advance(50)
      const others = calls.filter((_, index) => index !== leaving)
      deepEqual(others.map(({ reply }) => reply?.shared), leaving === 0 ? [true, true] : [false, true])
      deepEqual(others.map(({ reply }) => reply?.json()), [{ price: 7 }, { price: 7 }])
      deepEqual(prices.attempts.map(attempt => attempt.outcome), ['replied'])
    }
  })

  test('takes the flight down only when all have, and the next call begins anew', async () => {
    const { world, prices, get } = setUp()
    prices.next(hang())
    const controllers = [0, 1].map(() => new AbortController())
    const calls = controllers.map(({ signal }) => outcome(get({ signal })))
    await world.advance(1)
    controllers[0]!.abort()
    await world.advance(1)
    equal(prices.inFlight, 1)
    controllers[1]!.abort()
    const next = get()
    equal((await world.until(next)).shared, false)
    deepEqual([prices.inFlight, prices.attempts.length, calls.map(({ settled }) => settled)], [0, 2, [1, 1]])
    deepEqual(prices.attempts[0]?.outcome, 'aborted')
  })

  test('before it has begun joins nothing', async () => {
    const { world, prices, get } = setUp()
    const first = get()
    const reason = new Error('never mind')
    equal(await failure(get({ signal: AbortSignal.abort(reason) }), Error), reason)
    await world.until(first)
    equal(prices.attempts.length, 1)
  })
})

describe('a deadline', () => {
  test('that is shorter than that of the flight ends the call that has it, and no other', async () => {
    const { world, prices, get } = setUp()
    prices.always(after(500, json(1)))
    const first = outcome(get())
    await world.advance(100)
    const error = await failure(world.until(get({ deadline: 50 })), DeadlineExceededError)
    deepEqual([error.phase, error.timeout, error.elapsed, error.attempts, error.sent], ['shared call', 50, 50, 0, 'maybe'])
    ok(error.message.endsWith('deadline of 50 ms exceeded waiting for a shared call (no attempt in 50 ms)'), error.message)
    deepEqual(error.timeline.map(({ event }) => event),
      ['joined an identical call', 'deadline exceeded waiting for a shared call'])
    await world.advance(400)
    equal(first.reply?.json(), 1)
  })

  test('of the first one ends the flight; who has time left goes on in one more, as long as the longest', async () => {
    const { world, prices, get } = setUp()
    prices.next(hang()).always(after(250, json('at last')))
    const calls = [outcome(get())]
    for (let joined = 0; joined < 9; joined++) {
      await world.advance(100)
      calls.push(outcome(get()))
    }
    await world.advance(101)
    ok(calls[0]?.error instanceof DeadlineExceededError)
    equal(prices.attempts.length, 2)
    await world.advance(1_000)
    deepEqual(calls.map(({ settled }) => settled), calls.map(() => 1))
    const kinds = calls.map(({ reply, error }) => reply?.json() ?? (error as Error).name)
    const late = 'DeadlineExceededError'
    // Joined at 100, 200, ... with 1,000 ms each; the second flight began at 1,000 and took 250.
    deepEqual(kinds, [late, late, late, 'at last', 'at last', 'at last', 'at last', 'at last', 'at last', 'at last'])
    equal(prices.attempts.length, 2)
  })

  test('that passes in flight is evidence as without sharing', async () => {
    const { world, prices, get } = setUp({ breaker: { consecutive: 2, probeShare: 0 } })
    prices.always(hang())
    for (let round = 0; round < 2; round++) {
      await world.until(Promise.all([1, 2].map(() => failure(get(), DeadlineExceededError))))
    }
    await failure(world.until(get()), CircuitOpenError)
  })
})

describe('when the flight fails', () => {
  type Kind = abstract new (...args: never[]) => UpstreamError
  const cases: readonly (readonly [script: Script, kind: Kind, options?: ClientOptions])[] = [
    [status(503, { 'x-a': 'b' }, 'down'), StatusError], [refuse(), ConnectionError], [garbage(), ResponseError],
    [hang(), AttemptTimeoutError, { attemptTimeout: 200 }],
  ]
  for (const [script, kind, options] of cases) {
    test(`each gets a ${kind.name} of its own, which tells its own story`, async () => {
      const { world, prices, get } = setUp(options)
      prices.always(after(100, script))
      const first = failure(get(), kind)
      await world.advance(40)
      const second = failure(get(), kind)
      const [one, two] = await world.until(Promise.all([first, second]))
      notEqual(one, two)
      equal(one.elapsed - two.elapsed, 40)
      const shown = ({ code, sent, verdict, attempts, path, stopped, cause }: UpstreamError): unknown =>
        [code, sent, verdict, attempts, path, stopped, cause]
      deepEqual(shown(two), shown(one))
      ok(two.timeline.some(({ at, event }) => at === 0 && event === 'joined an identical call'), JSON.stringify(two.timeline))
      deepEqual(two.timeline.map(({ at }) => at), two.timeline.map(({ at }) => at).toSorted((a, b) => a - b))
      if (one instanceof StatusError && two instanceof StatusError) {
        deepEqual([two.status, two.body, two.headers['x-a']], [503, 'down', 'b'])
        notEqual(one.headers, two.headers)
      }
      equal(prices.attempts.length, 1)
    })
  }

  test('a refusal is shared like any other error', async () => {
    const options = { breaker: {}, limit: { max: 1, queue: 0 }, upstreams: { prices: { url: ORIGIN } } }
    const { world, prices, client, get } = setUp(options)
    const busy = get({}, '/busy')
    const [one, two] = await Promise.all([1, 2].map(() => failure(get(), LimitExceededError)))
    deepEqual([one?.kind, two?.kind, one?.limit, two?.limit], ['permits', 'permits', 1, 1])
    client.upstream('prices').isolate()
    const [three, four] = await Promise.all([1, 2].map(() => failure(get(), CircuitOpenError)))
    deepEqual([three?.reason, four?.reason, three === four], ['isolated by hand', 'isolated by hand', false])
    await world.until(busy)
    equal(prices.attempts.length, 1)
  })

  test('each has its own stale reply, and its own fallback', async () => {
    const { world, prices, get } = setUp({ stale: true })
    await world.until(get())
    prices.always(after(100, status(503)))
    const replies = await world.until(Promise.all([get(), get(), get({ stale: false, fallback: () => ({ json: 'made up' }) })]))
    deepEqual(replies.map(reply => reply.json()), [{ price: 7 }, { price: 7 }, 'made up'])
    equal(new Set(replies.map(({ stale, fallback }) => stale?.error ?? fallback?.error)).size, 3)
    equal(prices.attempts.length, 2)
  })
})

test('no order of joining, giving up, running out of time and landing leaves a call unsettled or a flight behind', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ call: fc.constantFrom('/a', '/b'), deadline: fc.integer({ min: 1, max: 300 }) }) },
    { weight: 3, arbitrary: fc.record({ abort: fc.nat(30) }) },
    { weight: 3, arbitrary: fc.record({ wait: fc.nat(120) }) },
    { weight: 1, arbitrary: fc.constant('write' as const) },
  )
  const script = fc.constantFrom(hang(), refuse(), after(50, json(1)), after(150, status(503)), after(20, garbage()))
  const [scripts, all] = [fc.array(script, { maxLength: 20 }), fc.array(step, { maxLength: 40 })]
  await fc.assert(fc.asyncProperty(scripts, all, async (next, steps) => {
    const limit = { max: 2, queue: 3, adaptive: false }
    const { world, prices, client, get } = setUp({ limit, upstreams: { prices: { url: ORIGIN } } })
    prices.next(...next)
    const calls: { seen: ReturnType<typeof outcome>; controller: AbortController; aborted: boolean; endsBy: number }[] = []
    for (const what of steps) {
      if (what === 'write') client.put(ORIGIN, { deadline: 50 }).catch(() => undefined)
      else if ('call' in what) {
        const controller = new AbortController()
        const seen = outcome(get({ signal: controller.signal, deadline: what.deadline }, what.call))
        calls.push({ seen, controller, aborted: false, endsBy: world.now + what.deadline })
      } else if ('abort' in what) {
        const call = calls[what.abort % Math.max(1, calls.length)]
        if (call === undefined || call.seen.settled > 0) continue
        call.aborted = true
        call.controller.abort('mine')
      } else await world.advance(what.wait)
      await world.advance(0)
      for (const { seen, aborted, endsBy } of calls) {
        if (aborted) equal(seen.settled, 1, 'an abort is heard at once')
        else if (world.now > endsBy) equal(seen.settled, 1, 'a deadline is kept')
        if (seen.error !== undefined && !aborted) ok(seen.error instanceof UpstreamError, 'nobody hears the abort of another')
      }
    }
    await world.advance(1_000)
    ok(calls.every(({ seen }) => seen.settled === 1))
    deepEqual([prices.inFlight, client.upstream('prices').snapshot().active, world.clock.pending], [0, 0, 0])
    const { length } = prices.attempts
    await world.until(get({}, '/a').catch(() => undefined))
    equal(prices.attempts.length, length + 1, 'the next call goes out')
  }), { seed: 20_261_123, numRuns: 120 })
})

test('each that joins is told over a channel; the flight itself, once', async t => {
  const { world, get } = setUp({ name: 'shop' })
  const seen: unknown[] = []
  const joined = (event: object): void => { seen.push(['joined', event]) }
  const ended = ({ attempts }: { attempts: number }): void => { seen.push(['ended', attempts]) }
  channels.joined.subscribe(joined)
  channels.callEnd.subscribe(ended)
  t.after(() => {
    channels.joined.unsubscribe(joined)
    channels.callEnd.unsubscribe(ended)
  })
  await world.until(Promise.all([get(), get(), get()]))
  const event = ['joined', { client: 'shop', upstream: ORIGIN, method: 'GET' }]
  deepEqual(seen, [event, event, ['ended', 1]])
})

describe('over real sockets', () => {
  test('a thousand callers cost the upstream one request, and one connection', async t => {
    const gate = hold(jsonOf({ price: 7 }))
    const server = await closing(t, startServer(gate.handler))
    const client = await closing(t, createClient({ coalesce: true, limit: { max: 1, queue: 0 } }))
    const calls = Array.from({ length: 1_000 }, () => client.get(server.url).json())
    await eventually(() => gate.waiting === 1)
    gate.release()
    deepEqual(new Set((await Promise.all(calls)).map(value => JSON.stringify(value))), new Set(['{"price":7}']))
    deepEqual([server.hits, server.accepted], [1, 1])
  })

  test('the last to give up closes the connection', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const client = await closing(t, createClient({ coalesce: true }))
    const controllers = [1, 2, 3].map(() => new AbortController())
    const calls = controllers.map(({ signal }) => outcome(client.get(server.url, { signal })))
    await eventually(() => gate.waiting === 1)
    for (const controller of controllers) controller.abort(new Error('gave up'))
    await eventually(() => gate.waiting === 0)
    deepEqual(calls.map(({ error }) => (error as Error).message), ['gave up', 'gave up', 'gave up'])
    equal(server.hits, 1)
  })

  test('close() waits for a flight, and all of its callers get their reply', async t => {
    const gate = hold(jsonOf(1))
    const server = await closing(t, startServer(gate.handler))
    const client = await closing(t, createClient({ coalesce: true }))
    const calls = [1, 2, 3].map(() => client.get(server.url).json())
    await eventually(() => gate.waiting === 1)
    const closed = client.close()
    gate.release()
    deepEqual(await Promise.all(calls), [1, 1, 1])
    await closed
  })
})

describe('a reply that is meant for one caller', () => {
  test('is not shared when a listener has put the credentials into the request, nor is its error', async t => {
    const user = new AsyncLocalStorage<string>()
    const addUser = ({ setHeader }: AttemptStartEvent): void => { setHeader('authorization', user.getStore() ?? '') }
    channels.attemptStart.subscribe(addUser)
    t.after(() => channels.attemptStart.unsubscribe(addUser))
    const gate = hold(({ url, headers }, response) => {
      response.writeHead(url === '/me' ? 200 : 403, { 'x-for': headers.authorization }).end(headers.authorization)
    })
    const server = await closing(t, startServer(gate.handler))
    const read = (client: Client, name: string, path: string): Promise<unknown> => user.run(name, async () =>
      (await client.get(server.url + path).catch((error: unknown) => error as StatusError)).headers['x-for'])

    for (const path of ['/me', '/forbidden']) {
      const client = await closing(t, createClient({ retry: false, coalesce: true }))
      const both = Promise.all([read(client, 'ann', path), read(client, 'bob', path)])
      for (let i = 0; i < 2; i++) {
        await eventually(() => gate.waiting === 1)
        gate.release(1)
      }
      deepEqual(await both, ['ann', 'bob'])
      if (path === '/forbidden') continue
      const later = Promise.all(['ann', 'bob', 'cat'].map(name => read(client, name, path)))
      await eventually(() => gate.waiting === 3, { what: 'once this is known, no call waits for another one' })
      gate.release(3)
      deepEqual(await later, ['ann', 'bob', 'cat'])
    }
  })

  test('is shared when listeners add tracing headers only', async t => {
    const trace = ({ setHeader, call }: AttemptStartEvent): void => { setHeader('x-request-id', String(call)) }
    channels.attemptStart.subscribe(trace)
    t.after(() => channels.attemptStart.unsubscribe(trace))
    const { world, prices, get } = setUp()
    await world.until(Promise.all([get(), get()]))
    equal(prices.attempts.length, 1)
  })

  for (const [what, headers] of Object.entries<Record<string, string>>({
    'private': { 'cache-control': 'private' }, 'no-store': { 'cache-control': 'max-age=1, No-Store' },
    'Set-Cookie': { 'set-cookie': 'session=1' }, 'Vary: *': { vary: 'accept, *' },
    'Vary on a tracing header': { vary: 'X-Request-Id' },
  })) {
    test(`goes to the first caller alone when it says ${what}`, async () => {
      const { world, prices, get } = setUp()
      prices.always(after(100, json({ price: 7 }, 200, headers)))
      const replies = await world.until(Promise.all([get(), get(), get({ deadline: 150 }).catch((error: unknown) => error)]))
      deepEqual(replies.slice(0, 2).map(reply => (reply as Reply).shared), [false, false])
      ok(replies[2] instanceof DeadlineExceededError, 'the wait for the shared call counts')
      equal(prices.attempts.length, 3)
      equal(world.now, 200)
    })
  }
})
