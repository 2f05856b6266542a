import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Call } from '../src/call/call.ts'
import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, LimitExceededError, UpstreamError,
} from '../src/outcome/errors.ts'
import type { Send } from '../src/call/layer.ts'
import type { UpstreamOptions } from '../src/options/upstream-options.ts'
import type { Reply } from '../src/outcome/reply.ts'
import {
  type CallSetup, assemble, callAt, judged, outcome, refused, replyOf, reset, streaming,
} from './support/calls.ts'
import { settle } from './support/check.ts'
import { testEnv, type TestClock } from './support/clock.ts'
import { scripted } from './support/scripted.ts'

const setup = (options: UpstreamOptions = {}, endpoints = 1) => {
  const env = testEnv()
  const wires = Array.from({ length: endpoints }, () => scripted())
  const upstream = assemble(env, options, ...wires.map(wire => wire.send))
  const start = (given?: CallSetup) => outcome(upstream.call(given))
  return { env, clock: env.clock, upstream, inner: wires[0]!, wires, start }
}

/** A pool that answers by itself, after so many ms, as `answer` says at that moment. */
const serving = (clock: TestClock, ms: number, answer: (call: Call) => Reply | Error): Send => call =>
  new Promise((resolve, reject) => {
    clock.after(ms, () => {
      const how = answer(call)
      if (how instanceof Error) reject(how)
      else resolve(how)
    })
  })

/** Nothing is left behind: no permit, no timer, no attempt in flight. */
const assertQuiet = ({ upstream, clock }: Pick<ReturnType<typeof setup>, 'upstream' | 'clock'>): void => {
  deepEqual({
    permits: upstream.permits.taken, queued: upstream.permits.queued, timers: clock.pending, backingOff: upstream.backingOff.size,
    inFlight: upstream.endpoints.all.map(({ inFlight }) => inFlight),
  }, { permits: 0, queued: 0, timers: 0, backingOff: 0, inFlight: upstream.endpoints.all.map(() => 0) })
}

suite('a call through all layers', () => {
  test('comes back, and leaves nothing behind', async () => {
    const made = setup()
    const seen = made.start()
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    deepEqual([seen.reply?.status, seen.reply?.attempts], [200, 1])
    assertQuiet(made)
  })

  test('is tried again on another endpoint than the one that failed', async () => {
    const made = setup({}, 2)
    for (let n = 0; n < 10; n++) {
      const seen = made.start()
      await settle()
      const [one, other] = made.wires[0]!.open > 0 ? made.wires : [...made.wires].reverse()
      const first = await one!.next()
      first.fail(reset(first.call))
      await made.clock.advance(50)
      ;(await other!.next()).reply(replyOf())
      await settle()
      equal(seen.reply?.attempts, 2)
    }
    assertQuiet(made)
  })

  test('holds no permit while it backs off', async () => {
    const made = setup({ limit: { max: 1, queue: 0 } })
    const first = made.start()
    const received = await made.inner.next()
    received.fail(reset(received.call))
    await settle()
    equal(made.upstream.permits.taken, 0)
    const second = made.start()
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(second.reply?.status, 200)
    await made.clock.advance(50)
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(first.reply?.status, 200)
    assertQuiet(made)
  })

  test('fails with the last real error when there is no permit for its retry', async () => {
    const made = setup({ limit: { max: 1, queue: 0 } })
    const first = made.start()
    const received = await made.inner.next()
    received.fail(reset(received.call))
    await settle()
    made.start()
    await made.clock.advance(50)
    ok(first.error instanceof ConnectionError)
    equal(first.error.stopped, 'queue full')
  })

  test('gives every attempt its own time, within the deadline of all of them', async () => {
    const made = setup({ deadline: 1_000, attemptTimeout: 300, breaker: { consecutive: 100 } })
    const seen = made.start()
    await made.clock.advance(1_000)
    equal(seen.settled, 1)
    ok(seen.error instanceof UpstreamError)
    ok(seen.error instanceof DeadlineExceededError || seen.error.stopped === 'deadline', seen.error.message)
    ok(made.inner.calls >= 2)
    equal(made.upstream.permits.taken, 0)
    assertQuiet(made)
  })

  test('is bounded by its deadline even while its streamed body is read', async () => {
    const made = setup({ deadline: 500 })
    const seen = made.start({ streamed: true })
    const { reply } = streaming(200)
    ;(await made.inner.next()).reply(reply)
    await settle()
    equal(seen.reply, reply)
    deepEqual([made.upstream.permits.taken, made.upstream.capacity.lent.bodies], [0, 1])
    let how: unknown
    reply.whenEnded(error => { how = error })
    await made.clock.advance(500)
    ok(how instanceof DeadlineExceededError)
    assertQuiet(made)
  })

  test('tells in its error what was tried, without the query', async () => {
    const made = setup({ retry: { limit: 1 } })
    const seen = made.start()
    for (const how of [reset, refused]) {
      const received = await made.inner.next()
      received.fail(how(received.call))
      await made.clock.advance(50)
    }
    ok(seen.error instanceof ConnectionError)
    equal(seen.error.attempts, 2)
    deepEqual(seen.error.timeline.map(({ event }) => event.replace(/\d+ ms/, 'so many ms')), [
      'attempt 1 to http://a.test failed: ECONNRESET', 'back-off of so many ms',
      'attempt 2 to http://a.test failed: ECONNREFUSED', 'not tried again: limit',
    ])
    ok(!JSON.stringify(seen.error).includes('secret'))
  })
})

suite('a dead upstream', () => {
  const dead = (options: UpstreamOptions = {}) => {
    const env = testEnv()
    let attempts = 0
    const upstream = assemble(env, options, serving(env.clock, 1, call => {
      attempts++
      return refused(call)
    }))
    return { env, clock: env.clock, upstream, get attempts(): number { return attempts } }
  }

  test('at 1 call/s is cut off after 5 attempts; from then on calls fail at once', async () => {
    const made = dead({ retry: false })
    for (let n = 0; n < 5; n++) {
      equal(made.upstream.circuit.state, 'closed')
      void outcome(made.upstream.call())
      await made.clock.advance(1_000)
    }
    deepEqual(made.upstream.changes, ['closed > open'])
    equal(made.attempts, 5)
    await made.clock.advance(0)
    made.upstream.circuit.holds.begin(5_000, made.clock.now())
    const seen = outcome(made.upstream.call())
    await settle()
    ok(seen.error instanceof CircuitOpenError)
  })

  test('with retries is cut off within the first two calls', async () => {
    const made = dead()
    const first = outcome(made.upstream.call())
    const second = outcome(made.upstream.call())
    await made.clock.advance(5_000)
    deepEqual([made.upstream.circuit.state, made.attempts], ['open', 5])
    ok(first.error instanceof ConnectionError && second.error instanceof ConnectionError, 'the last real error')
    ok([first, second].some(({ error }) => (error as UpstreamError).stopped === 'circuit open'))
    assertQuiet(made)
  })

  test('with retries, of one route beside a healthy one, counts once for each call', async () => {
    const env = testEnv()
    let attempts = 0
    const upstream = assemble(env, {}, serving(env.clock, 1, () => {
      attempts++
      return judged(502)
    }))
    upstream.circuit.routes.healthy('/other')
    const four = Array.from({ length: 4 }, () => outcome(upstream.call()))
    await env.clock.advance(5_000)
    deepEqual([upstream.circuit.state, attempts], ['closed', 20])
    deepEqual(four.map(({ reply }) => reply?.stopped), Array(4).fill('limit'))
    const fifth = outcome(upstream.call())
    await env.clock.advance(5_000)
    deepEqual([upstream.circuit.state, attempts, fifth.reply?.stopped], ['open', 21, 'circuit open'])
  })

  test('at 700 calls/s is seen within 100 ms, reached by under 2 % of its calls, and found well again soon', async () => {
    const env = testEnv()
    let isUp = true
    let [reached, failures] = [0, 0]
    const upstream = assemble(env, { retry: { limit: 2 } }, serving(env.clock, 2, call => {
      if (isUp) return replyOf()
      reached++
      return refused(call)
    }))
    const drive = async (ms: number, until: () => boolean = () => false): Promise<number> => {
      const began = env.clock.now()
      while (env.clock.now() - began < ms && !until()) {
        for (let n = 0; n < 7; n++) upstream.call().catch(() => failures++)
        env.clock.tick(10)
        await settle(1)
      }
      return env.clock.now() - began
    }
    await drive(20_000)
    equal(failures, 0)

    isUp = false
    const noticed = await drive(1_000, () => upstream.circuit.state !== 'closed')
    ok(noticed <= 100, `${noticed} ms`)
    await drive(10_000)
    ok(reached < 0.02 * 7_000, `${reached} reached it`)

    isUp = true
    const recovered = await drive(5_000, () => upstream.circuit.state === 'closed')
    ok(recovered <= 1_000, `${recovered} ms`)
    await drive(1_200)
    failures = 0
    await drive(1_000)
    equal(failures, 0)
    equal(upstream.permits.taken, 0)
  })
})

suite('a blocked event loop', () => {
  test('of 2 s with calls in flight trips nothing, whatever timer is late', async () => {
    for (const options of [
      { deadline: 1_000 }, { deadline: 5_000, attemptTimeout: 500 }, { deadline: 1_000, attemptTimeout: 300, retry: false },
    ] satisfies UpstreamOptions[]) {
      const made = setup({ ...options, limit: false, breaker: { slowCallDuration: 200, minimumCalls: 5 } })
      const calls = Array.from({ length: 100 }, () => made.start())
      for (let n = 0; n < 100; n++) await made.inner.next()
      await made.clock.stall(2_000)
      ok(calls.every(({ settled }) => settled === 1) || made.upstream.backingOff.size > 0, 'timers were late')
      equal(made.upstream.circuit.window.total, 0)
      await made.clock.advance(10)
      deepEqual([made.upstream.changes, made.upstream.circuit.state], [[], 'closed'])
    }
  })

  test('does not make the replies that come after it slow calls', async () => {
    const made = setup({ deadline: 10_000, limit: false, breaker: { slowCallDuration: 200, minimumCalls: 5 } })
    const calls = Array.from({ length: 50 }, () => made.start())
    const received = await Promise.all(calls.map(() => made.inner.next()))
    await made.clock.stall(2_000)
    for (const { reply } of received) reply(replyOf())
    await settle()
    deepEqual([made.upstream.circuit.window.total, made.upstream.circuit.window.slow], [50, 0])
    equal(made.upstream.circuit.state, 'closed')
  })

  test('teaches the limit nothing: a reply that had to wait for us is not slow', async () => {
    const made = setup({ deadline: 10_000 })
    const round = async (pause: () => Promise<void>): Promise<void> => {
      const calls = Array.from({ length: 15 }, () => made.start())
      const received = await Promise.all(calls.map(() => made.inner.next()))
      await pause()
      for (const { reply } of received) reply(replyOf())
      await settle()
    }
    for (let n = 0; n < 50; n++) await round(() => made.clock.advance(20))
    const before = made.upstream.permits.max
    for (let n = 0; n < 5; n++) {
      await round(() => made.clock.stall(2_000))
      await made.clock.advance(1)
    }
    ok(made.upstream.permits.max >= before, `${before} permits before, ${made.upstream.permits.max} after`)
  })

  test('does not excuse an upstream that times out afterwards', async () => {
    const made = setup({ deadline: 5_000, attemptTimeout: 300, retry: false })
    await made.clock.stall(2_000)
    await made.clock.advance(1)
    for (let n = 0; n < 5; n++) {
      made.start()
      await made.clock.advance(300)
    }
    equal(made.upstream.circuit.state, 'open')
  })
})

suite('our own refusals', () => {
  test('are no evidence: neither a full queue nor an open circuit nor a hold counts', async () => {
    const made = setup({ limit: { max: 1, queue: 1, queueTimeout: 100 }, retry: false })
    made.start()
    const refusals = Array.from({ length: 100 }, () => made.start())
    await made.clock.advance(100)
    equal(refusals.filter(({ error }) => error instanceof LimitExceededError).length, 100)
    made.upstream.circuit.holds.begin(1_000, made.clock.now())
    const held = Array.from({ length: 100 }, () => made.start())
    await settle()
    ok(held.every(({ error }) => error instanceof CircuitOpenError))
    deepEqual([made.upstream.circuit.window.total, made.upstream.changes], [0, []])
    equal(made.upstream.permits.queued, 0)
  })

  test('come before the wait: a call does not queue for an upstream that is cut off', async () => {
    const made = setup({ limit: { max: 1, queue: 10 }, retry: false })
    made.start()
    const waiting = made.start()
    made.upstream.circuit.isolate()
    const seen = made.start()
    await settle()
    ok(seen.error instanceof CircuitOpenError)
    equal(waiting.settled, 0)
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    ok(waiting.error instanceof CircuitOpenError, 'and one that waited is asked again')
    assertQuiet(made)
  })
})

suite('a probe through all layers', () => {
  const opened = async (options: UpstreamOptions = {}) => {
    const made = setup({ retry: false, ...options })
    for (let n = 0; n < 5; n++) {
      made.start()
      const received = await made.inner.next()
      received.fail(refused(received.call))
      await settle()
    }
    equal(made.upstream.circuit.state, 'open')
    await made.clock.advance(1_000)
    return made
  }

  test('that its caller aborts frees its place: the next call probes and the circuit can close', async () => {
    const made = await opened()
    const controller = new AbortController()
    const seen = made.start({ signal: controller.signal })
    await made.inner.next()
    controller.abort('gone')
    await settle()
    deepEqual([seen.error, made.upstream.circuit.state], ['gone', 'open'])
    for (let n = 0; n < 3; n++) {
      made.start()
      ;(await made.inner.next()).reply(replyOf())
      await settle()
    }
    equal(made.upstream.circuit.state, 'closed')
    assertQuiet(made)
  })

  test('that hangs ends at its own time, long before the deadline, and re-opens', async () => {
    const made = await opened({ deadline: 10_000, breaker: { probeTimeout: 250 } })
    const seen = made.start()
    await made.inner.next()
    await made.clock.advance(250)
    ok(seen.error instanceof AttemptTimeoutError)
    equal(made.upstream.circuit.state, 'open')
    assertQuiet(made)
  })

  test('that waited for a permit is admitted by the circuit as it is then', async () => {
    const made = await opened({ limit: { max: 1, queue: 10 } })
    const [first, second, third] = [made.start(), made.start(), made.start()]
    await settle()
    equal(made.inner.open, 1)
    ok(second.error instanceof CircuitOpenError && third.error instanceof CircuitOpenError)
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(first.reply?.status, 200)
    equal(made.upstream.circuit.state, 'half-open')
  })
})

suite('the end of a call from outside', () => {
  test('settles it once and leaves nothing behind, whatever it waits for, by abort or deadline', async () => {
    const stages: Record<string, (made: ReturnType<typeof setup>) => Promise<void>> = {
      'in the queue': async made => {
        equal(made.upstream.permits.queued, 1)
      },
      'in its attempt': async made => {
        ;(await made.inner.next()).reply(replyOf())
        await settle()
        equal(made.inner.open, 1)
      },
      'in its back-off': async made => {
        ;(await made.inner.next()).reply(replyOf())
        const received = await made.inner.next()
        received.reply(replyOf(503, { 'retry-after': '2' }))
        await settle()
        equal(received.call.phase, 'back-off')
      },
    }
    // A back-off that the deadline would cut short is not begun.
    const ends = Object.keys(stages).flatMap(stage => [[stage, 'abort'], [stage, 'deadline']] as const)
      .filter(([stage, how]) => stage !== 'in its back-off' || how === 'abort')
    for (const [stage, how] of ends) {
      const made = setup({ limit: { max: 1, queue: 1 }, deadline: 5_000 })
      const controller = new AbortController()
      const first = made.start()
      const seen = made.start({ signal: controller.signal })
      await stages[stage]!(made)
      equal(seen.settled, 0)
      if (how === 'abort') controller.abort('gone')
      else await made.clock.advance(5_000)
      await settle()
      equal(seen.settled, 1, `${stage}, by ${how}`)
      if (how === 'abort') equal(seen.error, 'gone')
      else ok(seen.error instanceof DeadlineExceededError)
      if (first.settled === 0) (await made.inner.next()).reply(replyOf())
      await settle()
      assertQuiet(made)
    }
  })

  test('in the moment between its back-off and the queue keeps it from waiting there', async () => {
    const made = setup({ limit: { max: 1, queue: 5 }, deadline: 10_000 })
    const controller = new AbortController()
    const seen = made.start({ signal: controller.signal })
    const received = await made.inner.next()
    received.fail(reset(received.call))
    await settle()
    made.start()
    made.clock.tick(50)
    controller.abort('gone')
    await settle()
    deepEqual([seen.settled, seen.error, made.upstream.permits.queued], [1, 'gone', 0])
  })

  test('as soon as it has its permit ends the attempt that has begun, and gives the permit back', async () => {
    const made = setup({ limit: { max: 1, queue: 5 } })
    const controller = new AbortController()
    made.start()
    const seen = made.start({ signal: controller.signal })
    equal(made.upstream.permits.queued, 1)
    // As a reply's end does it: the one who waits is granted the permit, and goes on at once.
    made.upstream.permits.release(made.clock.now())
    controller.abort('gone')
    await settle()
    deepEqual([seen.error, made.upstream.permits.taken, made.inner.calls], ['gone', 0, 2])
  })
})

suite('a hedged call through all layers', () => {
  const options: UpstreamOptions = { hedge: { minimumCalls: 20 }, retry: { limit: 1, backoff: 0 } }
  /** Two endpoints that have answered 20 calls in 20 ms each, and a call whose first attempt has just been hedged. */
  const hedged = async () => {
    const made = setup(options, 2)
    const busy = (): (typeof made.wires)[number] => made.wires.find(({ open }) => open > 0)!
    for (let n = 0; n < 20; n++) {
      made.start()
      await settle()
      const received = await busy().next()
      made.clock.tick(20)
      received.reply(replyOf())
      await settle()
    }
    const seen = made.start()
    await settle()
    const slow = busy()
    await made.clock.advance(20)
    return { ...made, seen, slow, quick: made.wires.find(wire => wire !== slow)! }
  }

  test('goes to another endpoint, holds two permits, and leaves nothing behind', async () => {
    const made = await hedged()
    const { seen, slow, quick, upstream } = made
    deepEqual([slow.open, quick.open, upstream.permits.taken], [1, 1, 2])
    ;(await quick.next()).reply(replyOf())
    await settle()
    deepEqual([seen.reply?.status, seen.reply?.attempts], [200, 2])
    assertQuiet(made)
  })

  test('says nothing against the endpoint whose attempt was cancelled, but remembers that it was slow', async () => {
    const made = await hedged()
    const before = made.upstream.endpoints.all.map(({ latency }) => latency.average)
    await made.clock.advance(200)
    ;(await made.quick.next()).reply(replyOf())
    await settle()
    const index = made.wires.indexOf(made.slow)
    const { circuit, latency } = made.upstream.endpoints.all[index]!
    deepEqual([circuit!.window.failures, circuit!.unhealthy], [0, 0])
    ok(latency.average > before[index]!, `${latency.average} ms after ${before[index]!} ms`)
  })

  test('is tried again when both attempts fail', async () => {
    const made = await hedged()
    for (const wire of [made.slow, made.quick]) {
      const received = await wire.next()
      received.fail(reset(received.call))
    }
    await made.clock.advance(1)
    ;(await made.wires.find(({ open }) => open > 0)!.next()).reply(replyOf())
    await settle()
    deepEqual([made.seen.reply?.status, made.seen.reply?.attempts], [200, 3])
    assertQuiet(made)
  })
})

suite('while a circuit closes, step by step,', () => {
  const breaker = { consecutive: 3, probes: 3, openTime: 1_000, ramp: 10_000 }
  /** A circuit that is open, at a time when a probe may be made. */
  const opened = async (options: UpstreamOptions = {}) => {
    const made = setup({ retry: false, breaker, ...options })
    for (let n = 0; n < 3; n++) {
      made.start()
      const received = await made.inner.next()
      received.fail(reset(received.call))
      await settle()
    }
    equal(made.upstream.circuit.state, 'open')
    await made.clock.advance(1_000)
    return made
  }

  test('calls that come once a probe has succeeded wait and are served, and none is refused', async () => {
    const made = await opened()
    const probe = made.start()
    const early = made.start()
    await settle()
    ok(early.error instanceof CircuitOpenError, 'nobody knows yet whether it is back')
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(probe.reply?.status, 200)
    const waiting = Array.from({ length: 40 }, () => made.start())
    let most = 0
    while (made.inner.open > 0) {
      most = Math.max(most, made.inner.open)
      const round = await Promise.all(Array.from({ length: made.inner.open }, () => made.inner.next()))
      for (const received of round) received.reply(replyOf())
      await settle()
    }
    deepEqual(waiting.map(({ reply }) => reply?.status), waiting.map(() => 200))
    equal(made.upstream.changes.at(-1), 'half-open > closed')
    ok(most > 2 && most < 40, `${most} at a time`)
    assertQuiet(made)
  })

  test('those who wait are refused when it turns out that it is not back', async () => {
    const made = await opened()
    made.start()
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    const probes = [made.start(), made.start()]
    const waiting = [made.start(), made.start()]
    const [second, third] = [await made.inner.next(), await made.inner.next()]
    second.fail(reset(second.call))
    await settle()
    for (const { error } of waiting) ok(error instanceof CircuitOpenError)
    third.reply(replyOf())
    await settle()
    deepEqual([probes.map(({ settled }) => settled), made.upstream.circuit.state], [[1, 1], 'open'])
    assertQuiet(made)
  })

  test('who may not wait is refused as before', async () => {
    const made = await opened({ limit: { queue: 0 } })
    made.start()
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    made.start()
    made.start()
    const seen = made.start()
    await settle()
    ok(seen.error instanceof CircuitOpenError)
  })
})

suite('Retry-After through all layers', () => {
  test('of a 503 holds other calls, and its own call comes back when it ends', async () => {
    const made = setup({ deadline: 10_000 })
    const seen = made.start()
    ;(await made.inner.next()).reply(replyOf(503, { 'retry-after': '2' }))
    await settle()
    const other = made.start()
    await settle()
    ok(other.error instanceof CircuitOpenError)
    equal(other.error.retryAfter, 2_000)
    await made.clock.advance(1_999)
    equal(made.inner.calls, 1)
    await made.clock.advance(1)
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(seen.reply?.status, 200)
    assertQuiet(made)
  })

  test('of a 429 holds its own call alone', async () => {
    const made = setup({ deadline: 10_000 })
    const seen = made.start()
    ;(await made.inner.next()).reply(replyOf(429, { 'retry-after': '2' }))
    await settle()
    const other = made.start()
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(other.reply?.status, 200)
    equal(seen.settled, 0)
    await made.clock.advance(2_000)
    ;(await made.inner.next()).reply(replyOf())
    await settle()
    equal(seen.reply?.status, 200)
  })
})

test('a call made by hand goes the same way as one made by the client', async () => {
  const made = setup()
  const call = callAt(made.env, made.upstream)
  const seen = outcome(made.upstream.send(call))
  equal((await made.inner.next()).call, call)
  call.cancel('gone')
  await settle()
  equal(seen.error, 'gone')
})
