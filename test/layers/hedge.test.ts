import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { suite, test } from 'node:test'
import { SUPERSEDED, type Call } from '../../src/call/call.ts'
import { ConnectionError } from '../../src/outcome/errors.ts'
import { channels, type HedgeEvent } from '../../src/events.ts'
import { hedge } from '../../src/layers/hedge.ts'
import type { HedgeOptions } from '../../src/options/upstream-options.ts'
import { Budget } from '../../src/upstream/retry-budget.ts'
import {
  budgetPolicy, callAt, interruptible, judged, outcome, policyOf, refused, reset, streaming, type CallSetup,
} from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { permitsOf } from '../support/permits.ts'
import { scripted } from '../support/scripted.ts'

/** A hedge layer that knows 100 latencies, 20 ms each, over a scripted service. */
const setup = async (options: HedgeOptions | boolean = true, known = 100) => {
  const env = testEnv()
  const inner = scripted()
  const budget = new Budget(budgetPolicy())
  const permits = permitsOf(10)
  const door = { open: true }
  const policy = policyOf({ hedge: options })
  const parts = { budget, capacity: { permits }, endpoints: { admits: () => door.open }, latencies: undefined }
  const attempts: Call[] = []
  const send = hedge(env)(call => {
    call.attempt = ++call.trace.attempts
    call.attemptAt = call.turnAt = call.at
    attempts.push(call)
    return interruptible(inner.send)(call)
  })
  const start = (given: CallSetup = {}) => {
    const call = callAt(env, { policy, parts, ...given })
    return { call, seen: outcome(send(call)) }
  }
  for (let n = 0; n < known; n++) {
    start()
    const received = await inner.next()
    env.clock.tick(20)
    received.reply(judged())
    await settle()
  }
  attempts.length = 0
  return { env, inner, budget, permits, door, attempts, start }
}
type Made = Awaited<ReturnType<typeof setup>>

const assertQuiet = async ({ env, permits, inner }: Made): Promise<void> => {
  await settle()
  deepEqual([env.clock.pending, permits.taken], [0, 0])
  await inner.none()
}

suite('a call that is slower than nearly all', () => {
  test('has a second attempt, and is answered by whichever is first', async () => {
    const made = await setup()
    const { seen } = made.start()
    const first = await made.inner.next()
    await made.env.clock.advance(19)
    equal(made.attempts.length, 1)
    await made.env.clock.advance(1)
    const second = await made.inner.next()
    deepEqual([made.permits.taken, made.attempts.map(({ attempt }) => attempt)], [1, [1, 2]])
    const reply = judged()
    second.reply(reply)
    await settle()
    deepEqual([seen.reply, made.attempts[0]!.cancelled], [reply, false])
    first.reply(judged())
    await assertQuiet(made)
    equal(seen.settled, 1)
  })

  test('keeps its first attempt going, and cancels the second if that is slower', async () => {
    const made = await setup()
    const { seen } = made.start()
    const first = await made.inner.next()
    await made.env.clock.advance(20)
    await made.inner.next()
    const told: unknown[] = []
    made.attempts[1]!.waitFor({ stop: reason => told.push(reason) })
    first.reply(judged())
    await settle()
    deepEqual([seen.reply?.status, told], [200, [SUPERSEDED]])
    equal(made.permits.taken, 0)
  })

  test('shows its second attempt to the endpoint that the first one went to, so that another can be picked', async () => {
    const made = await setup()
    const { call } = made.start()
    call.endpoint = { origin: 'http://a.test' }
    await made.env.clock.advance(20)
    equal(made.attempts[1]!.endpoint, call.endpoint)
  })

  test('costs the retry budget, for good', async () => {
    const made = await setup()
    made.start()
    await made.inner.next()
    await made.env.clock.advance(20)
    ;(await made.inner.next()).reply(judged())
    await settle()
    equal(made.budget.tokens, 500 - 14)
  })

  test('tells who listens', async () => {
    const made = await setup()
    const heard: HedgeEvent[] = []
    const listen = (event: HedgeEvent): void => { heard.push(event) }
    channels.hedge.subscribe(listen)
    made.start()
    await made.env.clock.advance(20)
    channels.hedge.unsubscribe(listen)
    deepEqual(heard.map(({ upstream, method, attempt, delay }) => [upstream, method, attempt, delay]), [['orders', 'GET', 2, 20]])
  })

  test('is ended with both attempts when it is ended from outside', async () => {
    const made = await setup()
    const { call, seen } = made.start()
    await made.env.clock.advance(20)
    call.cancel('gone')
    await settle()
    deepEqual([seen.settled, seen.error, made.attempts.map(({ cancelled }) => cancelled)], [1, 'gone', [true, true]])
    deepEqual([made.env.clock.pending, made.permits.taken], [0, 0])
  })

  test('that streams hands on the first headers, and its end ends the stream of the second attempt, too', async () => {
    const made = await setup()
    const { call, seen } = made.start({ streamed: true })
    await made.inner.next()
    await made.env.clock.advance(20)
    const { reply } = streaming()
    ;(await made.inner.next()).reply(reply)
    await settle()
    equal(seen.reply, reply)
    let ended: unknown
    reply.whenEnded(error => { ended = error })
    call.cancel('gone')
    equal(ended, 'gone')
  })
})

suite('of two attempts', () => {
  const both = async () => {
    const made = await setup()
    const { call, seen } = made.start()
    const first = await made.inner.next()
    await made.env.clock.advance(20)
    return { ...made, call, seen, first, second: await made.inner.next() }
  }

  test('one that fails does not fail the call while the other is out', async () => {
    for (const failing of ['first', 'second'] as const) {
      const made = await both()
      const [bad, good] = failing === 'first' ? [made.first, made.second] : [made.second, made.first]
      bad.fail(reset(bad.call))
      await settle()
      deepEqual([made.seen.settled, made.permits.taken], [0, 0])
      good.reply(judged())
      await settle()
      equal(made.seen.reply?.status, 200)
      await assertQuiet(made)
    }
  })

  test('a bad status does not win over what is still out', async () => {
    const made = await both()
    made.second.reply(judged(502))
    await settle()
    equal(made.seen.settled, 0)
    made.first.reply(judged())
    await settle()
    equal(made.seen.reply?.status, 200)
  })

  test('that both fail the call ends with the first failure', async () => {
    const made = await both()
    made.second.reply(judged(503))
    made.first.reply(judged(502))
    await settle()
    equal(made.seen.reply?.status, 503)
    await assertQuiet(made)
  })

  test('that both fail the call ends with the failure that the upstream may have seen', async () => {
    for (const order of [['first', 'second'], ['second', 'first']] as const) {
      const made = await both()
      for (const which of order) {
        const received = made[which]
        received.fail(which === 'first' ? refused(received.call) : reset(received.call))
        await settle()
      }
      ok(made.seen.error instanceof ConnectionError)
      equal(made.seen.error.reason, 'ECONNRESET')
    }
  })
})

suite('the delay', () => {
  test('is the percentile that is wanted', async () => {
    const made = await setup({ percentile: 0.5 }, 0)
    for (let n = 1; n <= 100; n++) {
      made.start()
      const received = await made.inner.next()
      await made.env.clock.advance(n)
      received.reply(judged())
      await settle()
    }
    made.attempts.length = 0
    made.start()
    await made.env.clock.advance(47)
    equal(made.attempts.length, 1)
    await made.env.clock.advance(3)
    equal(made.attempts.length, 2)
  })

  test('takes in what a cancelled attempt had taken, at least', async () => {
    const made = await setup({ percentile: 0.9 })
    // From now on first attempts take at least 60 ms: were the cancelled ones not counted, all would be hedged for ever.
    for (let n = 0; n < 40; n++) {
      made.start()
      const first = await made.inner.next()
      await made.env.clock.advance(60)
      const answering = made.attempts.at(-1)!.attempt === 2 ? await made.inner.next() : first
      answering.reply(judged())
      await settle()
    }
    const hedged = made.attempts.filter(({ attempt }) => attempt === 2).length
    ok(hedged > 0)
    made.attempts.length = 0
    made.start()
    await made.env.clock.advance(20)
    equal(made.attempts.length, 1, 'the 90th percentile has risen above 20 ms')
  })
})

suite('there is no second attempt', () => {
  const none = async (made: Made, given: CallSetup = {}): Promise<void> => {
    made.start(given)
    await made.env.clock.advance(1_000)
    equal(made.attempts.length, 1)
  }

  test('when hedging is off, as it is unless asked for', async () => none(await setup(false)))
  test('before enough latencies are known', async () => none(await setup(true, 99)))
  test('of a call that may not be repeated', async () => none(await setup(), { method: 'POST' }))
  test('of a body that is gone once it is sent', async () => {
    await none(await setup(), { method: 'PUT', body: Readable.from(['x']) })
  })
  test('while no endpoint admits one', async () => {
    const made = await setup()
    made.door.open = false
    await none(made)
  })
  test('without a permit that is free at once', async () => {
    const made = await setup()
    made.permits.resize(0, 0)
    await none(made)
    equal(made.budget.tokens, 500)
  })
  test('when the budget does not pay', async () => {
    const made = await setup()
    while (made.budget.withdraw(false) > 0);
    await none(made)
    equal(made.permits.taken, 0)
  })
  test('when there is no time for it', async () => {
    const made = await setup()
    const { call } = made.start()
    call.usualLatency = 1e9
    await made.env.clock.advance(1_000)
    equal(made.attempts.length, 1)
  })
  test('once the call has ended', async () => {
    const made = await setup()
    made.start()
    ;(await made.inner.next()).reply(judged())
    await settle()
    await made.env.clock.advance(1_000)
    equal(made.attempts.length, 1)
    await assertQuiet(made)
  })
})
