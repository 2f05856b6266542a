import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CircuitOpenError, LimitExceededError } from '../../src/outcome/errors.ts'
import { limit } from '../../src/layers/limit.ts'
import type { Call } from '../../src/call/call.ts'
import type { LimitOptions, Priority, UpstreamOptions } from '../../src/options/upstream-options.ts'
import { Limit } from '../../src/upstream/limit/limit.ts'
import type { Trace } from '../../src/outcome/trace.ts'
import { callAt, judged, outcome, policyOf, refused, streaming } from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { scripted } from '../support/scripted.ts'

const setup = (options: LimitOptions | false = { max: 1, queue: 2 }, upstream: UpstreamOptions = {}) => {
  const env = testEnv()
  const inner = scripted()
  const policy = policyOf({ ...upstream, limit: options === false ? false : { adaptive: false, ...options } })
  const door = { open: true, opening: false, asked: 0, refusals: 0 }
  const endpoints = {
    admits: () => {
      door.asked++
      return door.open
    },
    isOpening: () => door.opening,
    refuse: (trace: Trace) => {
      door.refusals++
      return new CircuitOpenError(trace, 'failure rate', 100)
    },
  }
  const capacity = new Limit(policy.limit, endpoints)
  const { permits } = capacity
  const send = limit(env)(call => {
    call.attemptAt = call.turnAt = call.at
    return inner.send(call)
  })
  const call = (priority: Priority = 'normal'): Call => callAt(env, { policy, priority, parts: { capacity, endpoints } })
  const start = (priority?: Priority) => {
    const made = call(priority)
    return { call: made, seen: outcome(send(made)) }
  }
  return { env, inner, capacity, permits, door, send, call, start }
}

suite('the limit', () => {
  test('lets so many calls through at a time, and gives permits back however they end', async () => {
    const { inner, permits, start } = setup({ max: 2, queue: 0 })
    const one = start()
    const two = start()
    equal(permits.taken, 2)
    ;(await inner.next()).reply(judged())
    ;(await inner.next()).fail(refused(two.call))
    await settle()
    deepEqual([permits.taken, one.seen.reply?.status, two.seen.error instanceof Error], [0, 200, true])
  })

  test('holds a permit until the streamed body ends', async () => {
    for (const error of [undefined, new Error('truncated')]) {
      const { inner, permits, start } = setup()
      const { seen } = start()
      const { reply, end } = streaming()
      ;(await inner.next()).reply(reply)
      await settle()
      deepEqual([seen.reply, permits.taken], [reply, 1])
      end(error)
      equal(permits.taken, 0)
      end(error)
      equal(permits.taken, 0)
    }
  })

  test('lets those who wait through in order, and counts how long they waited', async () => {
    const { env, inner, start } = setup({ max: 1, queue: 5 })
    const calls = [start(), start(), start()]
    equal(inner.calls, 1)
    for (const { call } of calls) {
      const received = await inner.next()
      equal(received.call, call)
      await env.clock.advance(10)
      received.reply(judged())
      await settle()
    }
    deepEqual(calls.map(({ call }) => call.queued), [0, 10, 20])
    deepEqual(calls.map(({ call }) => call.at - call.startedAt), [0, 10, 20])
    equal(env.clock.pending, 0)
  })

  test('refuses at once when the queue is full, or when there is none', async () => {
    const queue = setup({ max: 1, queue: 1 })
    queue.start()
    queue.start()
    const third = queue.start()
    await settle()
    ok(third.seen.error instanceof LimitExceededError)
    deepEqual([third.seen.error.kind, third.seen.error.limit, third.seen.error.sent], ['queue', 1, 'never'])

    const none = setup({ max: 1, queue: 0 })
    none.start()
    const second = none.start()
    await settle()
    ok(second.seen.error instanceof LimitExceededError)
    deepEqual([second.seen.error.kind, second.seen.error.limit], ['permits', 1])
  })

  test('refuses who has waited too long, and frees the place', async () => {
    const { env, permits, start } = setup({ max: 1, queue: 1, queueTimeout: 300 })
    start()
    const { seen } = start()
    await env.clock.advance(299)
    equal(seen.settled, 0)
    await env.clock.advance(1)
    ok(seen.error instanceof LimitExceededError)
    deepEqual([seen.error.kind, seen.error.limit], ['queue timeout', 300])
    deepEqual([permits.queued, permits.taken], [0, 1])
  })

  test('when switched off lets everything through', async () => {
    const { inner, start } = setup(false)
    for (let n = 0; n < 1_000; n++) start()
    equal(inner.calls, 1_000)
  })
})

suite('a call that cannot be served in time', () => {
  /** One permit, which is held for 100 ms each time; what is known of that comes from the calls before. */
  const busy = async (deadline: number, options: LimitOptions = {}) => {
    const made = setup({ max: 1, queue: 100, ...options }, { deadline, breaker: false })
    made.start()
    const first = await made.inner.next()
    await made.env.clock.advance(100)
    first.reply(judged())
    await settle()
    return made
  }

  test('is turned away at once, and told how long the wait would have been', async () => {
    // 350 ms of it are left for the wait, as the attempt itself takes 100.
    const { env, permits, start } = await busy(450)
    start()
    const seen = [start(), start(), start(), start()].map(({ seen }) => seen)
    await settle()
    deepEqual(seen.map(({ settled }) => settled), [0, 0, 0, 1])
    const { error } = seen[3]!
    ok(error instanceof LimitExceededError)
    deepEqual([error.kind, error.limit, error.retryAfter, error.sent], ['wait', 350, 400, 'never'])
    equal(error.message,
      'GET /things on orders: estimated wait for a permit is 400 ms, too long for this call (no attempt in 0 ms)')
    // One timer for each, and one that looks for permits.
    deepEqual([permits.queued, env.clock.pending], [3, 4])
  })

  test('is left the time that an attempt takes, though no more than half of its deadline', async () => {
    // Attempts take 100 ms, so that of 450 ms 350 are for the wait, and of 120 ms 60.
    for (const [deadline, patience] of [[450, 350], [120, 60]] as const) {
      const { env, start } = await busy(deadline, { max: 1 })
      start()
      const { seen } = start('critical')
      await env.clock.advance(patience - 1)
      equal(seen.settled, deadline === 120 ? 1 : 0)
      await env.clock.advance(1)
      ok(seen.error instanceof LimitExceededError)
      equal(seen.error.limit, patience)
    }
  })

  test('waits while nothing is known of how long permits are held', async () => {
    const { permits, start } = setup({ max: 1, queue: 100 }, { deadline: 10 })
    for (let n = 0; n < 20; n++) start()
    await settle()
    equal(permits.queued, 19)
  })

  test('is let in when it matters more than those who wait', async () => {
    const { start } = await busy(350)
    for (let n = 0; n < 4; n++) start('background')
    const [critical, normal] = [start('critical'), start()]
    const background = start('background')
    await settle()
    deepEqual([critical.seen.settled, normal.seen.settled, background.seen.settled], [0, 0, 1])
  })

  test('leaves the queue when there is no more time for an attempt, not at its deadline', async () => {
    const { env, inner, permits, start } = setup({ adaptive: true, max: 1, queue: 100 }, { deadline: 350, breaker: false })
    start()
    const first = await inner.next()
    await env.clock.advance(50)
    first.reply(judged())
    start()
    await inner.next()
    const { seen } = start()
    await env.clock.advance(299)
    equal(seen.settled, 0)
    await env.clock.advance(1)
    ok(seen.error instanceof LimitExceededError)
    deepEqual([seen.error.kind, seen.error.limit, permits.queued], ['queue timeout', 300, 0])
  })
})

suite('calls of different priority', () => {
  test('are served by rank', async () => {
    const { inner, start } = setup({ max: 1, queue: 5 })
    start()
    const waiting = [start('background'), start('normal'), start('critical')]
    ;(await inner.next()).reply(judged())
    for (const { call } of waiting.reverse()) {
      const received = await inner.next()
      equal(received.call, call)
      received.reply(judged())
    }
  })

  test('give way in a full queue: the lower is turned away with an error that says so', async () => {
    const { start, permits } = setup({ max: 1, queue: 1 })
    start()
    const low = start('background')
    const high = start('critical')
    await settle()
    ok(low.seen.error instanceof LimitExceededError)
    equal(low.seen.error.kind, 'queue')
    equal(low.seen.error.timeline.at(-1)?.event, 'refused: displaced from the queue')
    deepEqual([high.seen.settled, permits.queued], [0, 1])
  })
})

suite('a call that is ended while it waits', () => {
  for (const reason of [new Error('deadline'), 'the user has left', null]) {
    test(`settles at once with its reason (${String(reason)}), without the clock moving, and frees its place`, async () => {
      const { env, inner, permits, start } = setup({ max: 1, queue: 1 })
      start()
      const waiting = start()
      const before = env.clock.now()
      waiting.call.cancel(reason)
      equal(permits.queued, 0)
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
      deepEqual([waiting.seen.settled, waiting.seen.error], [1, reason])
      equal(env.clock.now(), before)
      equal(env.clock.pending, 0)
      const next = start()
      equal(permits.queued, 1)
      ;(await inner.next()).reply(judged())
      equal((await inner.next()).call, next.call)
    })
  }

  test('does not take the permit that comes at the same time', async () => {
    const { inner, permits, start } = setup({ max: 1, queue: 3 })
    start()
    const [leaving, staying] = [start(), start()]
    const first = await inner.next()
    first.reply(judged())
    leaving.call.cancel('gone')
    await settle()
    equal((await inner.next()).call, staying.call)
    equal(permits.taken, 1)
  })

  test('before it comes to wait does not wait at all', async () => {
    const { permits, start, call, send, env } = setup({ max: 1, queue: 1 })
    start()
    const ended = call()
    ended.cancel('gone')
    const seen = outcome(send(ended))
    await settle()
    deepEqual([seen.error, permits.queued, env.clock.pending], ['gone', 0, 0])
  })
})

suite('an open circuit', () => {
  test('refuses a call before it takes a permit or waits for one', async () => {
    const { inner, permits, door, start } = setup()
    door.open = false
    const { seen } = start()
    await settle()
    ok(seen.error instanceof CircuitOpenError)
    deepEqual([inner.calls, permits.taken, permits.queued, door.refusals], [0, 0, 0, 1])
  })

  test('refuses a call even when the queue is full', async () => {
    const { door, start } = setup({ max: 1, queue: 0 })
    start()
    door.open = false
    const { seen } = start()
    await settle()
    ok(seen.error instanceof CircuitOpenError)
  })

  test('refuses all that have waited, and gives every permit back', async () => {
    const { inner, permits, door, start } = setup({ max: 1, queue: 5 })
    start()
    const waiting = [start(), start(), start()]
    door.open = false
    ;(await inner.next()).reply(judged())
    await settle()
    for (const { seen } of waiting) ok(seen.error instanceof CircuitOpenError)
    deepEqual([inner.calls, permits.taken, permits.queued, door.refusals], [1, 0, 0, 3])
  })

  test('is asked again after the wait, and lets the call through when it has closed', async () => {
    const { inner, door, start } = setup()
    start()
    const { seen } = start()
    const { asked } = door
    ;(await inner.next()).reply(judged())
    ;(await inner.next()).reply(judged())
    await settle()
    deepEqual([door.asked > asked, seen.reply?.status], [true, 200])
  })
})
