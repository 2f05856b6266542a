import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { suite, test } from 'node:test'
import type { Call } from '../../../src/call/call.ts'
import type { Random } from '../../../src/clock.ts'
import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError,
  ResponseError, StatusError, UpstreamError,
} from '../../../src/outcome/errors.ts'
import { channels, type RetryEvent, type RetryStoppedEvent } from '../../../src/events.ts'
import { retry } from '../../../src/layers/retry/retry.ts'
import type { RetryOptions } from '../../../src/options/retry-options.ts'
import type { UpstreamOptions } from '../../../src/options/upstream-options.ts'
import { Budget } from '../../../src/upstream/retry-budget.ts'
import { retryAfter } from '../../../src/http/retry-after.ts'
import type { Reply } from '../../../src/outcome/reply.ts'
import { BackingOff } from '../../../src/call/backing-off.ts'
import {
  budgetPolicy, callAt, exhausted, judged, outcome, refused, reset, streaming, type CallSetup,
} from '../../support/calls.ts'
import { settle } from '../../support/check.ts'
import { createTestClock, loadedDice, seededRandom } from '../../support/clock.ts'
import { scripted, type Received } from '../../support/scripted.ts'

const almostAll = 1 - Number.EPSILON

interface Setup {
  readonly retry?: RetryOptions
  readonly options?: UpstreamOptions
  readonly call?: CallSetup
  readonly random?: Random
}

/** A retry layer over a scripted service, with one call on its way. */
const begin = (setup: Setup = {}) => {
  const env = { clock: createTestClock(), random: setup.random ?? loadedDice(almostAll) }
  const inner = scripted()
  const budget = new Budget(budgetPolicy(setup.retry?.budget))
  const gate = { opensIn: 0 }
  const backingOff = new BackingOff()
  const send = retry(env)(call => {
    call.trace.attempts++
    return inner.send(call)
  })
  const options = { ...setup.options, ...(setup.retry === undefined ? {} : { retry: setup.retry }) }
  const parts = { budget, backingOff, endpoints: { opensIn: () => gate.opensIn } }
  const make = (): Call => callAt(env, { options, parts, ...setup.call })
  const call = make()
  const seen = outcome(send(call))
  /** Answers the attempt that is out, and lets what follows from it happen as far as it needs no time. */
  const answer = async (how: Reply | ((call: Call) => unknown)): Promise<Received<Call, Reply>> => {
    const received = await inner.next()
    if (typeof how === 'function') received.fail(how(received.call))
    else received.reply(how)
    await settle()
    return received
  }
  return { env, inner, budget, gate, backingOff, call, make, send, seen, answer }
}

/** Says that no attempt follows, ever. */
const over = async ({ env, inner }: ReturnType<typeof begin>): Promise<void> => {
  await env.clock.advance(1_000_000)
  await inner.none()
}

const timedOut = (call: Call): AttemptTimeoutError =>
  new AttemptTimeoutError(call.trace, 100, 'headers', { sent: 'maybe', verdict: 'gateway' })

suite('a call', () => {
  test('that succeeds is not tried again, and pays into the budget', async () => {
    const made = begin({ retry: { budget: { capacity: 20, cost: 14 } } })
    made.budget.withdraw(false)
    const reply = judged()
    await made.answer(reply)
    deepEqual([made.seen.reply, made.budget.tokens, made.env.clock.pending], [reply, 7, 0])
    await over(made)
  })

  test('that fails is tried again after its back-off', async () => {
    const made = begin()
    await made.answer(reset)
    equal(made.inner.calls, 1)
    equal(made.call.phase, 'back-off')
    await made.env.clock.advance(49)
    equal(made.inner.calls, 1)
    await made.env.clock.advance(1)
    equal(made.call.at, made.env.clock.now())
    await made.answer(judged())
    deepEqual([made.seen.reply?.status, made.call.trace.attempts], [200, 2])
  })

  test('whose failure is not the upstream\'s is not tried again', async () => {
    const cases: [what: string, how: (call: Call) => unknown][] = [
      ['the caller\'s abort', () => new Error('the user has left')],
      ['a body too large', call => new ResponseError(call.trace, 'too long', 'healthy')],
      ['its deadline', call => new DeadlineExceededError(call.trace, 100, 'headers', { sent: 'maybe', verdict: 'gateway' })],
      ['an open circuit', call => new CircuitOpenError(call.trace, 'failure rate', 100)],
      ['a full queue', call => new LimitExceededError(call.trace, 'queue', 1)],
      ['a closing client', call => new DrainingError(call.trace)],
    ]
    for (const [what, how] of cases) {
      const made = begin()
      let error: unknown
      await made.answer(call => {
        error = how(call)
        return error
      })
      equal(made.seen.error, error, what)
      await over(made)
    }
  })

  test('is tried again after a failure of our own making, and after a time-out', async () => {
    for (const how of [exhausted, timedOut]) {
      const made = begin()
      await made.answer(how)
      await made.env.clock.advance(50)
      await made.answer(judged())
      equal(made.seen.reply?.status, 200)
    }
  })

  test('without retries is handed through', async () => {
    const made = begin({ options: { retry: false } })
    await made.answer(reset)
    ok(made.seen.error instanceof ConnectionError)
    equal(made.seen.error.stopped, undefined)
    await over(made)
  })

  test('that fails otherwise the second time fails so', async () => {
    for (const reason of [new Error('the body factory threw'), new TypeError('it has a mistake'), 'no error at all', undefined]) {
      const made = begin()
      await made.answer(reset)
      await made.env.clock.advance(50)
      await made.answer(() => reason)
      deepEqual([made.seen.settled, made.seen.error], [1, reason])
      await over(made)
    }
  })
})

suite('a status', () => {
  test('that is listed is retried, and the last reply handed back when it stays so', async () => {
    const made = begin({ retry: { limit: 2 } })
    await made.answer(judged(503))
    await made.env.clock.advance(50)
    await made.answer(judged(500))
    await made.env.clock.advance(100)
    const last = judged(502)
    await made.answer(last)
    deepEqual([made.seen.reply, made.seen.reply?.stopped, made.seen.settled], [last, 'limit', 1])
  })

  test('that is not listed is handed back, and pays nothing if it is a failure', async () => {
    for (const [status, tokens] of [[501, 486], [404, 487], [400, 487]] as const) {
      const made = begin()
      made.budget.withdraw(false)
      await made.answer(judged(status))
      deepEqual([made.seen.reply?.status, made.seen.reply?.stopped, made.budget.tokens], [status, undefined, tokens])
      await over(made)
    }
  })

  test('that is listed though it proves nothing against the upstream is retried, too', async () => {
    const made = begin({ retry: { statuses: [404, 425], limit: 1 } })
    await made.answer(judged(425))
    await made.env.clock.advance(50)
    await made.answer(judged(404))
    deepEqual([made.seen.reply?.status, made.seen.reply?.stopped], [404, 'limit'])
  })

  test('of a streamed reply is let go of before the next attempt', async () => {
    const made = begin()
    const { reply } = streaming(503)
    await made.answer(reply)
    equal(reply.body.destroyed, true)
    await made.env.clock.advance(50)
    await made.answer(judged())
    equal(made.seen.reply?.status, 200)
  })

  test('of a streamed reply that is handed back is left to be read', async () => {
    const made = begin({ retry: { limit: 0 } })
    const { reply } = streaming(503)
    await made.answer(reply)
    deepEqual([made.seen.reply, reply.body.destroyed], [reply, false])
  })

  test('becomes the last real failure when the next attempt is refused', async () => {
    const made = begin()
    const last = judged(503)
    await made.answer(last)
    await made.env.clock.advance(50)
    await made.answer(call => new CircuitOpenError(call.trace, 'failure rate', 100))
    deepEqual([made.seen.reply, last.stopped], [last, 'circuit open'])
  })
})

suite('the back-off', () => {
  /** The waits before each retry of a call that keeps failing. */
  const waitsOf = async (setup: Setup, how: Reply | ((call: Call) => unknown) = reset): Promise<number[]> => {
    const events: number[] = []
    const hear = ({ delay }: RetryEvent): void => void events.push(delay)
    channels.retry.subscribe(hear)
    const made = begin({ options: { deadline: 1_000_000 }, ...setup })
    while (made.seen.settled === 0) {
      await made.answer(how)
      await made.env.clock.advance(20_000)
    }
    channels.retry.unsubscribe(hear)
    return events
  }

  test('doubles up to its cap when chance has it longest', async () => {
    const waits = await waitsOf({ retry: { limit: 6, maxBackoff: 300 } })
    deepEqual(waits.map(Math.round), [50, 100, 200, 300, 300, 300])
  })

  test('grows with the retries of the call, not with attempts hedged beside them', async () => {
    const hedged = (call: Call): ConnectionError => {
      call.trace.attempts++
      return reset(call)
    }
    deepEqual((await waitsOf({}, hedged)).map(Math.round), [50, 100, 200, 400])
  })

  test('is anything from nothing up to that', async () => {
    deepEqual(await waitsOf({ random: () => 0 }), [0, 0, 0, 0])
    const waits = await waitsOf({ retry: { limit: 30, maxBackoff: 400, budget: { capacity: 1_000 } }, random: seededRandom(5) })
    equal(waits.length, 30)
    ok(waits.every((wait, index) => wait >= 0 && wait < Math.min(400, 50 * 2 ** index)))
    equal(new Set(waits).size, 30)
  })

  test('of a throttled call without a Retry-After is longer', async () => {
    deepEqual((await waitsOf({ retry: { limit: 2 } }, judged(429))).map(Math.round), [1_000, 2_000])
  })

  test('gives way to a Retry-After, exactly', async () => {
    for (const status of [429, 503]) deepEqual(await waitsOf({ retry: { limit: 2 } }, judged(status, 3_000)), [3_000, 3_000])
    deepEqual(await waitsOf({ retry: { limit: 1 } }, judged(503, 0)), [0])
  })

  const now = Date.UTC(2026, 0, 1)
  const table: [header: string, waits: number | 'a back-off' | 'no further attempt'][] = [
    ['7', 7_000],
    [new Date(now + 5_000).toUTCString(), 5_000],
    [new Date(now - 5_000).toUTCString(), 0],
    ['-3', 'a back-off'], ['soon', 'a back-off'], ['1e1', 'a back-off'], ['1.5', 'a back-off'],
    ['99999999999', 'no further attempt'],
    [new Date(now + 86_400_000).toUTCString(), 'no further attempt'],
  ]
  for (const [header, waits] of table) {
    test(`after a 503 with Retry-After: ${header} is ${typeof waits === 'number' ? `${waits} ms` : waits}`, async () => {
      const made = begin({ options: { deadline: 10_000 } })
      await made.answer(judged(503, retryAfter(header, () => now)))
      if (waits === 'no further attempt') {
        deepEqual([made.seen.reply?.status, made.seen.reply?.stopped], [503, 'deadline'])
        await over(made)
        return
      }
      const wait = typeof waits === 'number' ? waits : 50
      if (wait > 0) await made.env.clock.advance(wait - 1)
      equal(made.inner.calls, wait > 0 ? 1 : made.inner.calls)
      await made.env.clock.advance(1)
      equal(made.inner.calls, 2)
    })
  }
})

suite('it stops, with the last real failure and the reason:', () => {
  test('limit', async () => {
    const made = begin({ retry: { limit: 2 } })
    await made.answer(reset)
    await made.env.clock.advance(50)
    await made.answer(refused)
    await made.env.clock.advance(100)
    let last: unknown
    await made.answer(call => last = timedOut(call))
    equal(made.seen.error, last)
    ok(last instanceof AttemptTimeoutError)
    deepEqual([last.stopped, last.attempts], ['limit', 3])
    ok(last.message.includes('gave up: retry limit reached'))
    await over(made)
  })

  test('budget', async () => {
    const made = begin({ retry: { budget: { capacity: 15, cost: 14 } } })
    await made.answer(reset)
    equal(made.budget.tokens, 1)
    await made.env.clock.advance(50)
    let last: unknown
    await made.answer(call => last = refused(call))
    equal(made.seen.error, last)
    deepEqual([(last as UpstreamError).stopped, made.budget.tokens], ['budget', 1])
    await over(made)
  })

  test('deadline, when the wait would not fit', async () => {
    const made = begin({ options: { deadline: 95 } })
    await made.answer(reset)
    await made.env.clock.advance(50)
    const error = await made.answer(reset).then(() => made.seen.error)
    ok(error instanceof ConnectionError)
    deepEqual([error.stopped, made.env.clock.now() - made.call.startedAt], ['deadline', 50])
    await over(made)
  })

  test('but draws the wait from what time remains while there is enough of it', async () => {
    const made = begin({ options: { deadline: 120, retry: { backoff: 50 } } })
    await made.answer(reset)
    await made.env.clock.advance(50)
    await made.answer(reset)
    equal(made.seen.settled, 0, 'a wait of up to 100 ms does not fit, one of up to 70 ms does')
    await made.env.clock.advance(70)
    await made.answer(judged())
    equal(made.seen.reply?.status, 200)
    await over(made)
  })

  test('deadline, when the attempt could not finish after the wait', async () => {
    for (const [usual, stops] of [[50, false], [51, true]] as const) {
      const made = begin({ options: { deadline: 100 } })
      made.call.usualLatency = usual
      await made.answer(reset)
      equal(made.seen.settled === 1, stops)
    }
  })

  test('deadline, when a Retry-After is longer than what remains', async () => {
    const made = begin({ options: { deadline: 5_000 } })
    const reply = judged(503, 5_001)
    await made.answer(reply)
    deepEqual([made.seen.reply, reply.stopped, made.budget.tokens], [reply, 'deadline', 500])
    await over(made)
  })

  test('not repeatable', async () => {
    const cases: [what: string, call: CallSetup, how: (call: Call) => unknown][] = [
      ['a POST that may have been sent', { method: 'POST', body: 'x' }, reset],
      ['a POST that timed out', { method: 'POST', body: 'x' }, timedOut],
      ['a stream that is consumed', { method: 'PUT', body: Readable.from(['x']) }, reset],
      ['a stream, though never sent', { method: 'POST', body: Readable.from(['x']) }, refused],
    ]
    for (const [what, call, how] of cases) {
      const made = begin({ call })
      await made.answer(how)
      ok(made.seen.error instanceof UpstreamError)
      equal(made.seen.error.stopped, 'not repeatable', what)
      await over(made)
    }
    const posted = begin({ call: { method: 'POST', body: 'x' } })
    await posted.answer(judged(503, 10))
    deepEqual([posted.seen.reply?.status, posted.seen.reply?.stopped], [503, 'not repeatable'])
    await over(posted)
  })

  test('circuit open, when it will be open for longer than the wait', async () => {
    for (const [opensIn, stops] of [[40, false], [60, true], [Infinity, true]] as const) {
      const made = begin()
      made.gate.opensIn = opensIn
      await made.answer(reset)
      equal(made.seen.settled === 1, stops, String(opensIn))
      if (made.seen.error !== undefined) equal((made.seen.error as UpstreamError).stopped, 'circuit open')
    }
  })

  test('circuit open, when it opened during the wait', async () => {
    const made = begin()
    let last: unknown
    await made.answer(call => last = reset(call))
    await made.env.clock.advance(50)
    await made.answer(call => new CircuitOpenError(call.trace, 'failure rate', 1_000))
    equal(made.seen.error, last)
    equal((last as UpstreamError).stopped, 'circuit open')
    await over(made)
  })

  test('queue full, when there was no permit for the next attempt', async () => {
    for (const kind of ['permits', 'queue', 'queue timeout'] as const) {
      const made = begin()
      let last: unknown
      await made.answer(call => last = reset(call))
      await made.env.clock.advance(50)
      await made.answer(call => new LimitExceededError(call.trace, kind, 1))
      equal(made.seen.error, last)
      equal((last as UpstreamError).stopped, 'queue full')
      await over(made)
    }
  })

  test('draining, when the client was closed during the wait', async () => {
    const made = begin()
    let last: unknown
    await made.answer(call => last = reset(call))
    deepEqual(made.backingOff.all(), [made.call])
    made.call.interrupt(new DrainingError(made.call.trace))
    await settle()
    equal(made.seen.error, last)
    deepEqual([(last as UpstreamError).stopped, made.backingOff.size, made.env.clock.pending], ['draining', 0, 0])
    await over(made)
  })

  test('and tells whoever listens', async t => {
    const events: RetryStoppedEvent[] = []
    const hear = (event: RetryStoppedEvent): void => void events.push(event)
    channels.retryStopped.subscribe(hear)
    t.after(() => channels.retryStopped.unsubscribe(hear))
    const made = begin({ call: { method: 'POST' } })
    await made.answer(reset)
    const call = made.call.trace.number
    deepEqual(events, [{ client: '', call, upstream: 'orders', method: 'POST', attempts: 1, reason: 'not repeatable' }])
  })
})

suite('its last error', () => {
  test('says that the call may have been sent if any attempt may have been', async () => {
    for (const [attempts, sent] of [
      [[refused, refused], 'never'], [[reset, refused], 'maybe'], [[refused, reset], 'maybe'], [[timedOut, refused], 'maybe'],
      [[refused, reset, refused], 'maybe'],
    ] as const) {
      const made = begin({ retry: { limit: attempts.length - 1 } })
      for (const how of attempts) {
        await made.answer(how)
        await made.env.clock.advance(100)
      }
      ok(made.seen.error instanceof UpstreamError)
      deepEqual([made.seen.error.sent, made.seen.error.stopped], [sent, 'limit'])
    }
  })
})

suite('what may be repeated', () => {
  test('is what was never sent, by any method, if its body is still there', async () => {
    for (const body of ['x', Buffer.from('x'), () => Readable.from(['x']), undefined]) {
      for (const method of ['POST', 'PATCH', 'LOCK']) {
        const made = begin({ call: { method, ...(body === undefined ? {} : { body }) } })
        await made.answer(refused)
        await made.env.clock.advance(50)
        await made.answer(judged())
        equal(made.seen.reply?.status, 200)
      }
    }
  })

  test('is what may have been sent, if it is idempotent, by its method, a key, or the caller\'s word', async () => {
    const calls: Setup[] = [
      ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'].map(method => ({ call: { method } })),
      { call: { method: 'POST', idempotencyKey: 'k' } },
      { call: { method: 'PATCH' }, retry: { methods: ['patch'] } },
    ]
    for (const setup of calls) {
      const made = begin(setup)
      await made.answer(reset)
      await made.env.clock.advance(50)
      await made.answer(judged())
      equal(made.seen.reply?.status, 200, JSON.stringify(setup))
    }
  })
})

suite('the budget', () => {
  test('pays for each retry, and gets back the last one\'s cost when it succeeds, and one for the success', async () => {
    const made = begin()
    await made.answer(reset)
    equal(made.budget.tokens, 486)
    await made.env.clock.advance(50)
    await made.answer(reset)
    equal(made.budget.tokens, 472)
    await made.env.clock.advance(100)
    await made.answer(judged())
    equal(made.budget.tokens, 487)
  })

  test('gets nothing back for a retry that ends in a failure nobody retries', async () => {
    const made = begin()
    await made.answer(reset)
    await made.env.clock.advance(50)
    await made.answer(judged(501))
    deepEqual([made.seen.reply?.status, made.budget.tokens], [501, 486])
  })

  test('pays less for a throttled call', async () => {
    const made = begin()
    await made.answer(judged(429, 10))
    equal(made.budget.tokens, 495)
  })

  test('is not asked when there would be no retry anyway', async () => {
    const made = begin({ call: { method: 'POST' } })
    await made.answer(reset)
    equal(made.budget.tokens, 500)
  })

  test('is shared by the calls of an upstream: an outage is met with no more retries than it pays for', async () => {
    const made = begin({ retry: { limit: 10, budget: { capacity: 100, cost: 10 } }, options: { deadline: 100_000 } })
    const others = Array.from({ length: 30 }, () => outcome(made.send(made.make())))
    while (made.inner.open > 0 || made.env.clock.pending > 0) {
      if (made.inner.open > 0) await made.answer(reset)
      else await made.env.clock.advance(1_000)
    }
    equal(made.inner.calls, 31 + 10)
    ok(others.every(({ settled }) => settled === 1))
  })
})

suite('the caller\'s abort during back-off', () => {
  const reasons: unknown[] = [new Error('the user has left'), 'the user has left', 0, null, new TypeError('left')]
  for (const reason of reasons) {
    test(`rejects at once with the signal's own reason: ${String(reason)}`, async () => {
      const made = begin()
      await made.answer(reset)
      equal(made.env.clock.pending, 1)
      made.call.cancel(reason)
      await settle()
      deepEqual([made.seen.settled, made.seen.error], [1, reason])
      equal(made.env.clock.pending, 0)
      equal(made.backingOff.size, 0)
      await over(made)
    })
  }

  test('or in the moment before it begins', async () => {
    for (const jobs of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20]) {
      const made = begin()
      const received = await made.inner.next()
      received.fail(reset(made.call))
      for (let n = 0; n < jobs; n++) await Promise.resolve()
      made.call.cancel('gone')
      await settle()
      deepEqual([made.seen.settled, made.seen.error, made.env.clock.pending], [1, 'gone', 0], `after ${jobs} jobs`)
      equal(made.budget.tokens >= 486, true)
    }
  })

  test('of the second attempt rejects with the reason, too', async () => {
    const made = begin()
    await made.answer(reset)
    await made.env.clock.advance(50)
    const received = await made.inner.next()
    made.call.cancel('gone')
    received.fail('gone')
    await settle()
    deepEqual([made.seen.settled, made.seen.error], [1, 'gone'])
  })
})

test('a status that is retried never throws from here: what the caller asked for is decided above', async () => {
  const made = begin({ retry: { limit: 0 } })
  await made.answer(judged(500))
  equal(made.seen.error instanceof StatusError, false)
  equal(made.seen.reply?.status, 500)
})
