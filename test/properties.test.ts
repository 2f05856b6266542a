import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Circuit, type Admission } from '../src/upstream/circuit/circuit.ts'
import type { Call } from '../src/call/call.ts'
import type { Reply } from '../src/outcome/reply.ts'
import type { Verdict } from '../src/outcome/verdict.ts'
import { backoff } from '../src/layers/retry/backoff.ts'
import { Budget } from '../src/upstream/retry-budget.ts'
import { join, permitsOf } from './support/permits.ts'
import type { Waiter } from '../src/upstream/limit/queue.ts'
import { Ramp } from '../src/upstream/circuit/ramp.ts'
import { retryAfter } from '../src/http/retry-after.ts'
import { longestRun } from '../src/upstream/circuit/trip.ts'
import { Window } from '../src/upstream/circuit/window.ts'
import { assemble, breakerPolicy, budgetPolicy, outcome, refused, replyOf, reset, streaming } from './support/calls.ts'
import { createTestClock, seededRandom, testEnv } from './support/clock.ts'

/** Repeatable everywhere, and bounded in time. */
const check = <T>(property: fc.IPropertyWithHooks<T>, numRuns = 300): void => {
  fc.assert(property, { seed: 20_261_104, numRuns })
}

const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

suite('permits', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('ask' as const) },
    { weight: 4, arbitrary: fc.constant('end' as const) },
    { weight: 2, arbitrary: fc.record({ leave: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ resize: fc.integer({ min: 1, max: 8 }) }) },
  )

  test('never exceed the limit, always come back, and are granted in the order they were asked for', () => {
    check(fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
      const permits = permitsOf(max)
      const queue: { id: number; waiter: Waiter }[] = []
      let [held, asked, allowed, limit] = [0, 0, max, max]
      for (const what of steps) {
        if (what === 'ask') {
          const id = asked++
          if (permits.take()) held++
          else {
            const waiter = join(permits, () => {
              equal(queue.shift()?.id, id, 'first in, first out')
              held++
            })
            queue.push({ id, waiter })
          }
        } else if (what === 'end') {
          if (held === 0) continue
          held--
          permits.release(0)
        } else if ('leave' in what) {
          const [gone] = queue.splice(what.leave % Math.max(1, queue.length), 1)
          if (gone !== undefined) permits.leave(gone.waiter)
        } else {
          limit = what.resize
          permits.resize(limit, 0)
        }
        // Permits above a limit that was made smaller come back in their time; until then none is given.
        allowed = Math.max(limit, Math.min(allowed, held))
        ok(held <= allowed, `${held} of ${allowed}`)
        deepEqual([permits.taken, permits.queued], [held, queue.length])
        ok(queue.length === 0 || held >= limit, 'nobody waits while a permit is free')
      }
      while (held > 0) {
        held--
        permits.release(0)
      }
      deepEqual([permits.taken, permits.queued, queue.length], [0, 0, 0])
      equal(permits.take(), true)
    }))
  })
})

suite('a window', () => {
  const record = fc.record({ wait: fc.oneof(fc.nat(300), fc.nat(5_000)), failed: fc.boolean(), slow: fc.boolean() })

  test('holds the sum of what its ten buckets hold, whatever was counted when', () => {
    const spans = fc.integer({ min: 10, max: 20_000 })
    check(fc.property(spans, fc.nat(1e9), fc.array(record, { maxLength: 150 }), (span, start, records) => {
      const window = new Window(span, start)
      const width = span / 10
      const kept: { bucket: number; failed: boolean; slow: boolean }[] = []
      let now = start
      for (const { wait, failed, slow } of records) {
        now += wait
        window.record(failed, slow, now)
        const bucket = Math.floor(now / width)
        kept.push({ bucket, failed, slow })
        const inside = kept.filter(call => call.bucket > bucket - 10)
        deepEqual([window.total, window.failures, window.slow], [
          inside.length, inside.filter(call => call.failed).length, inside.filter(call => call.slow).length,
        ])
      }
      window.advance(now + span)
      deepEqual([window.total, window.failures, window.slow], [0, 0, 0])
    }))
  })

  test('never counts below nothing, even by a clock that jumps about', () => {
    const then = fc.constantFrom('record', 'advance', 'clear', 'resize')
    const jump = fc.record({ to: fc.nat(100_000), failed: fc.boolean(), then })
    check(fc.property(fc.array(jump, { maxLength: 100 }), jumps => {
      const window = new Window(1_000, 0)
      let counted = 0
      for (const { to, failed, then: what } of jumps) {
        if (what === 'record') {
          window.record(failed, failed, to)
          counted++
        } else if (what === 'resize') window.resize(1 + to, to)
        else window[what === 'clear' ? 'clear' : 'advance'](to)
        ok(window.failures >= 0 && window.failures <= window.total && window.total <= counted)
        equal(window.slow, window.failures)
      }
    }))
  })
})

suite('back-off', () => {
  test('is within its bounds for any retry, base and cap', () => {
    const ms = fc.double({ min: 0, max: 1e7, noNaN: true })
    check(fc.property(fc.integer({ min: 1, max: 1_000 }), ms, ms, share, (retry, base, cap, chance) => {
      const wait = backoff(retry, base, cap, () => chance)
      ok(wait >= 0 && wait <= cap && wait <= base * 2 ** (retry - 1), `${wait} ms`)
    }), 1_000)
  })

  test('asked for by a Retry-After is a number of ms, or nothing, for any text', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[-+]?\d{0,20}(\.\d+)?(e\d+)?$/), fc.date({ noInvalidDate: true }).map(String))
    check(fc.property(text, value => {
      const ms = retryAfter(value, () => 1_700_000_000_000)
      ok(ms === undefined || ms >= 0 && Number.isFinite(ms), `${value}: ${ms ?? 'nothing'}`)
      if (/^\d{1,15}$/.test(value.trim())) equal(ms, Number(value.trim()) * 1_000)
      else if (!/^[a-z]{3}/i.test(value.trim())) equal(ms, undefined)
    }), 1_000)
  })
})

suite('a budget', () => {
  test('allows no more retries than it holds and earns', () => {
    const step = fc.constantFrom('success', 'retry', 'throttled retry', 'retry that succeeds')
    const sizes = fc.record({
      capacity: fc.integer({ min: 20, max: 200 }), cost: fc.integer({ min: 1, max: 20 }),
      throttledCost: fc.integer({ min: 1, max: 5 }),
    })
    check(fc.property(sizes, fc.array(step, { maxLength: 300 }), (given, steps) => {
      const { throttledCost } = given
      const budget = new Budget(budgetPolicy(given))
      let [spent, earned] = [0, 0]
      for (const what of steps) {
        if (what === 'success') {
          budget.deposit(0)
          earned++
          continue
        }
        const before = budget.tokens
        const cost = budget.withdraw(what === 'throttled retry')
        if (cost === 0) ok(before < (what === 'throttled retry' ? throttledCost : given.cost), 'refused for want of tokens')
        spent += cost
        if (what === 'retry that succeeds' && cost > 0) {
          budget.deposit(cost)
          earned += cost + 1
        }
        ok(budget.tokens >= 0 && budget.tokens <= given.capacity)
        ok(spent <= given.capacity + earned)
      }
    }))
  })
})

suite('a ramp', () => {
  test('never lets in more at a time than it began with and has had successes', () => {
    const step = fc.constantFrom('enter', 'healthy', 'failed')
    check(fc.property(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
      const ramp = new Ramp()
      ramp.start(max, 1_000, 0)
      let [inFlight, successes] = [0, 0]
      for (const what of steps) {
        if (what === 'enter') {
          const admits = ramp.admits(500)
          equal(admits, inFlight < max + successes)
          if (!admits) continue
          ramp.enter()
          inFlight++
        } else if (inFlight > 0) {
          inFlight--
          if (what === 'healthy') successes++
          ramp.leave(what === 'healthy')
        }
      }
    }))
  })
})

test('the bar for a run of failures is finite and never falls with volume, for any policy', () => {
  const policy = fc.record({
    failureRate: fc.double({ min: Number.MIN_VALUE, max: 1, noNaN: true }), minimumCalls: fc.integer({ min: 1, max: 1_000 }),
    consecutive: fc.integer({ min: 1, max: 200 }),
  })
  check(fc.property(policy, fc.nat(1e9), fc.nat(1e6), (options, total, more) => {
    const full = breakerPolicy(options)
    const bar = longestRun(total, full)
    ok(bar >= options.consecutive && bar <= Math.max(100, options.consecutive))
    ok(longestRun(total + more, full) >= bar)
  }), 1_000)
})

suite('a circuit', () => {
  const verdict = fc.constantFrom<Verdict>('healthy', 'gateway', 'unhealthy', 'throttled', 'none')
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('start' as const) },
    { weight: 5, arbitrary: fc.record({ settle: fc.nat(50), as: verdict }) },
    { weight: 2, arbitrary: fc.record({ wait: fc.oneof(fc.nat(20), fc.nat(2_000)) }) },
    { weight: 1, arbitrary: fc.constantFrom('hold', 'isolate', 'restore', 'tune') },
  )
  const policy = fc.record({
    probes: fc.integer({ min: 1, max: 5 }), consecutive: fc.integer({ min: 1, max: 5 }),
    minimumCalls: fc.integer({ min: 1, max: 30 }), failureRate: fc.double({ min: 0.05, max: 1, noNaN: true }),
    openTime: fc.integer({ min: 1, max: 1_000 }), ramp: fc.nat(1_000), maxHold: fc.nat(1_000), probeShare: share,
  })

  test('of any policy never has more probes out than it may, and is never stuck', () => {
    check(fc.property(policy, fc.array(step, { maxLength: 150 }), fc.integer(), (options, steps, seed) => {
      const clock = createTestClock()
      const circuit = new Circuit(breakerPolicy(options), { clock, random: seededRandom(seed) }, () => undefined)
      const calls: Admission[] = []
      for (const what of steps) {
        const now = clock.now()
        if (what === 'start') {
          const expected = circuit.admits(now)
          const admission = circuit.admit(now)
          equal(admission !== 0, expected)
          if (admission === 0) circuit.refuse()
          else calls.push(admission)
        } else if (what === 'hold') circuit.holds.begin(500, now)
        else if (what === 'isolate') circuit.isolate()
        else if (what === 'restore') circuit.restore()
        else if (what === 'tune') circuit.tune(breakerPolicy({ ...options, window: 20_000 + calls.length }))
        else if ('wait' in what) clock.tick(what.wait)
        else {
          const [admission] = calls.splice(what.settle % Math.max(1, calls.length), 1)
          if (admission !== undefined) circuit.settle(admission, what.as, 1, now)
        }
        const newest = Math.min(0, ...calls)
        const probes = calls.filter(admission => admission < 0 && admission === newest).length
        ok(probes <= options.probes, `${probes} probes`)
        equal(circuit.opensIn(clock.now()) === 0 || !circuit.admits(clock.now()), true)
      }
      if (circuit.state === 'isolated') circuit.restore()
      for (const admission of calls.filter(call => call < 0)) circuit.settle(admission, 'gateway', 1, clock.now())
      for (let n = 0; n < options.probes && circuit.state !== 'closed'; n++) {
        clock.tick(31_000)
        const admission = circuit.admit(clock.now())
        ok(admission !== 0, 'after its open time a call is admitted')
        circuit.settle(admission, 'healthy', 1, clock.now())
      }
      equal(circuit.state, 'closed')
    }))
  })
})

suite('any number of calls through all layers', () => {
  const kinds = ['200', '200', '404', '500', '503', '503 later', '429', 'refused', 'reset', 'hangs', 'throws'] as const
  const call = fc.record({
    startAt: fc.nat(1_500),
    ms: fc.nat(400),
    ends: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 6 }),
    abortAt: fc.option(fc.nat(3_000), { nil: undefined }),
    method: fc.constantFrom('GET', 'GET', 'POST', 'PUT'),
    body: fc.constantFrom<'buffered' | 'streamed' | 'stream breaks' | 'reader leaves'>(
      'buffered', 'buffered', 'streamed', 'stream breaks', 'reader leaves',
    ),
  })
  const options = fc.record({
    max: fc.integer({ min: 1, max: 5 }), queue: fc.nat(5), adaptive: fc.boolean(), endpoints: fc.integer({ min: 1, max: 3 }),
    deadline: fc.integer({ min: 100, max: 2_000 }), attempt: share, capacity: fc.integer({ min: 10, max: 40 }),
    retries: fc.nat(5), stallAt: fc.option(fc.nat(2_000), { nil: undefined }),
  })

  test('each settle exactly once, stay within the limit and the budget, and leave nothing behind', async () => {
    const met = new Set<string>()
    const property = fc.asyncProperty(options, fc.array(call, { minLength: 1, maxLength: 20 }), async (given, calls) => {
      const env = testEnv()
      const { clock } = env
      const cost = 5
      const attemptsOf = new Map<Call, number>()
      const scriptOf = new Map<Call, (typeof calls)[number]>()
      let [paid, retries, mostPermits, mostInFlight] = [0, 0, 0, 0]

      const endpoint = (sent: Call): Promise<Reply> => new Promise((resolve, reject) => {
        const script = scriptOf.get(sent)!
        const attempt = attemptsOf.get(sent) ?? 0
        attemptsOf.set(sent, attempt + 1)
        if (attempt > 0) retries++
        mostPermits = Math.max(mostPermits, upstream.permits.taken)
        const inFlight = upstream.endpoints.all.reduce((sum, { inFlight }) => sum + inFlight, 0)
        mostInFlight = Math.max(mostInFlight, inFlight - upstream.capacity.lent.bodies)
        const how = script.ends[attempt % script.ends.length]!
        met.add(how)
        if (how === 'hangs') return
        if (how === 'throws') {
          reject(new TypeError('a bug in a body factory'))
          return
        }
        clock.after(script.ms, () => {
          if (how === 'refused') reject(refused(sent))
          else if (how === 'reset') reject(reset(sent))
          else if (!sent.settings.streamed) resolve(replyOf(parseInt(how), how === '503 later' ? { 'retry-after': '1' } : {}))
          else {
            const { reply, end } = streaming(parseInt(how))
            resolve(reply)
            clock.after(script.ms, () => {
              if (script.body === 'reader leaves') reply.discard()
              else end(script.body === 'stream breaks' ? reset(sent) : undefined)
            })
          }
        })
      })
      const upstream = assemble(env, {
        deadline: given.deadline, attemptTimeout: Math.ceil(given.deadline * Math.max(0.1, given.attempt)),
        limit: { max: given.max, queue: given.queue, adaptive: given.adaptive },
        retry: { limit: given.retries, backoff: 20, budget: { capacity: given.capacity, cost, throttledCost: cost } },
        breaker: { openTime: 100, maxOpenTime: 400 },
      }, ...Array.from({ length: given.endpoints }, () => endpoint))

      const seen: ReturnType<typeof outcome>[] = []
      for (const script of calls) {
        const controller = new AbortController()
        clock.after(script.startAt, () => {
          const { method } = script
          seen.push(outcome(upstream.call({ method, streamed: script.body !== 'buffered', signal: controller.signal }, made => {
            scriptOf.set(made, script)
          })))
        })
        if (script.abortAt !== undefined) clock.after(script.abortAt, () => { controller.abort('gone') })
      }
      if (given.stallAt !== undefined) {
        await clock.advance(given.stallAt)
        await clock.stall(1_000)
      }
      await clock.advance(10_000)

      equal(seen.length, calls.length)
      for (const { settled, reply } of seen) {
        equal(settled, 1, 'exactly one settlement')
        if (reply?.verdict === 'healthy') paid++
      }
      ok(mostPermits <= given.max && mostInFlight <= given.max, `${mostPermits} permits, ${mostInFlight} in flight`)
      ok(retries * cost <= given.capacity + paid * (1 + cost), `${retries} retries, ${paid} successes`)
      ok(upstream.budget.tokens >= 0 && upstream.budget.tokens <= given.capacity)
      ok([...attemptsOf.values()].every(attempts => attempts <= given.retries + 1), 'no more attempts than asked for')
      deepEqual({
        permits: upstream.permits.taken, bodies: upstream.capacity.lent.bodies,
        queued: upstream.permits.queued, timers: clock.pending,
        backingOff: upstream.backingOff.size,
        inFlight: upstream.endpoints.all.map(({ inFlight }) => inFlight),
      }, { permits: 0, bodies: 0, queued: 0, timers: 0, backingOff: 0, inFlight: upstream.endpoints.all.map(() => 0) })
    })
    await fc.assert(property, { seed: 20_261_104, numRuns: 150 })
    equal(met.size, new Set(kinds).size, 'every kind of end was met')
  })
})
