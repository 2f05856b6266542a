import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { longestRun, trip, type Runs, type TripReason } from '../../../src/upstream/circuit/trip.ts'
import { seededRandom } from '../../support/clock.ts'
import { breakerPolicy } from '../../support/calls.ts'

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
    equal(trip({ total: 119, failures: 65, slow: 0 }, five, long), 'consecutive failures')
    equal(trip({ total: 120, failures: 65, slow: 0 }, five, long), undefined)
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

suite('an upstream that has hardly ever failed', () => {
  const brief = { ...policy, window: 10_000 }
  const isDown = (total: number, failures: number, run: number, options = brief): boolean =>
    trip({ total, failures, slow: 0 }, { gateway: run, unhealthy: run }, options) !== undefined

  test('is down after five gateway errors in a row, not after four, nor after five bad answers', () => {
    deepEqual([isDown(40, 4, 4), isDown(40, 5, 5)], [false, true])
    equal(trip({ total: 40, failures: 5, slow: 0 }, { gateway: 0, unhealthy: 5 }, brief), undefined)
  })

  test('is given a longer run the more often it has failed before', () => {
    const needed = (before: number): number => {
      for (let run = 1; ; run++) if (isDown(60, before + run, run)) return run
    }
    deepEqual([0, 2, 4, 8, 12].map(needed), [5, 5, 6, 7, 9])
  })

  test('is not down for failures that came in a quarter of a second', () => {
    deepEqual([isDown(600, 14, 14), isDown(600, 15, 15)], [false, true])
    const bar = longestRun(10_000, brief)
    deepEqual([isDown(10_000, bar - 1, bar - 1), isDown(10_000, bar, bar)], [false, true])
  })

  test('is down by chance in about one window of a thousand, whatever share of its answers is bad', () => {
    // The rate has a bar of its own, which has nothing to do with runs.
    const anyRate = { ...brief, failureRate: 1 }
    for (const rate of [0.02, 0.1, 0.2, 0.3, 0.4]) {
      const random = seededRandom(11)
      let alarms = 0
      for (let trial = 0; trial < 5_000; trial++) {
        let [failures, run, isOpen] = [0, 0, false]
        for (let total = 1; total <= 50; total++) {
          const isBad = random() < rate
          if (isBad) failures++
          run = isBad ? run + 1 : 0
          isOpen ||= run > 0 && total >= 20 && isDown(total, failures, run, anyRate)
        }
        if (isOpen) alarms++
      }
      ok(alarms <= 12, `${alarms} of 5000 windows at ${rate}`)
    }
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
