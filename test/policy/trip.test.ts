import { equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { longestRun, trip, type Runs, type TripReason } from '../../src/policy/trip.ts'
import { seededRandom } from '../support/clock.ts'
import { breakerPolicy } from '../support/calls.ts'

const policy = breakerPolicy()
const calm: Runs = { gateway: 0, unhealthy: 0 }

const decide = (total: number, failures: number, runs: Partial<Runs> = {}, slow = 0): TripReason | undefined =>
  trip({ total, failures, slow }, { ...calm, ...runs }, policy)

suite('few calls', () => {
  test('trip at five gateway errors in a row, not at four', () => {
    equal(decide(4, 4, { gateway: 4, unhealthy: 4 }), undefined)
    equal(decide(5, 5, { gateway: 5, unhealthy: 5 }), 'consecutive failures')
  })

  test('do not trip by a rate, nor by a run of answers that were merely bad', () => {
    equal(decide(19, 19, { unhealthy: 19 }), undefined)
    equal(decide(19, 12, {}, 19), undefined)
  })

  test('are up to two a second, however long the window is', () => {
    const long = breakerPolicy({ window: 60_000, failureRate: 1 })
    const five = { gateway: 5, unhealthy: 5 }
    equal(trip({ total: 119, failures: 5, slow: 0 }, five, long), 'consecutive failures')
    equal(trip({ total: 120, failures: 5, slow: 0 }, five, long), undefined)
  })
})

suite('enough calls', () => {
  test('trip at the failure rate, not below it', () => {
    equal(decide(100, 49), undefined)
    equal(decide(100, 50), 'failure rate')
    equal(decide(20, 10), 'failure rate')
  })

  test('trip at the slow-call rate, not below it, and never at none', () => {
    equal(decide(100, 0, {}, 79), undefined)
    equal(decide(100, 0, {}, 80), 'slow-call rate')
    equal(trip({ total: 100, failures: 0, slow: 0 }, calm, breakerPolicy({ slowCallRate: Number.MIN_VALUE })), undefined)
  })

  test('trip at a run that chance rules out, of any unhealthy outcome', () => {
    const bar = longestRun(10_000, policy)
    equal(decide(10_000, bar - 1, { unhealthy: bar - 1 }), undefined)
    equal(decide(10_000, bar, { unhealthy: bar }), 'consecutive failures')
  })
})

suite('the bar for a run', () => {
  test('never falls as volume rises', () => {
    let last = 0
    for (let total = 1; total < 1_000_000; total = Math.ceil(total * 1.3)) {
      const bar = longestRun(total, policy)
      ok(bar >= last, `${bar} at ${total}, ${last} before`)
      last = bar
    }
  })

  test('stays within a tenth of a second of calls at 700 a second', () => {
    ok(longestRun(700 * policy.window / 1_000, policy) <= 70)
  })

  test('is finite and no lower than what was asked for, whatever the rate', () => {
    for (const failureRate of [Number.MIN_VALUE, 0.01, 0.5, 0.99, 1]) {
      for (const total of [20, 1_000, 1_000_000, 1e15]) {
        const bar = longestRun(total, breakerPolicy({ failureRate }))
        ok(bar >= 5 && bar <= 100, `${bar} at rate ${failureRate} of ${total}`)
      }
    }
    equal(longestRun(1_000, breakerPolicy({ consecutive: 500 })), 500)
  })

  test('is out of reach of chance: about one window in a thousand at the rate just tolerated', () => {
    const total = 1_000
    const bar = longestRun(total, policy)
    const random = seededRandom(7)
    let alarms = 0
    for (let trial = 0; trial < 2_000; trial++) {
      let run = 0
      let longest = 0
      for (let call = 0; call < total; call++) {
        run = random() < policy.failureRate ? run + 1 : 0
        longest = Math.max(longest, run)
      }
      if (longest >= bar) alarms++
    }
    ok(alarms <= 8, `${alarms} of 2000 windows`)
  })
})
