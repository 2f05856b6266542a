import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { AdaptiveLimit, type Sample } from '../../../src/upstream/limit/adaptive-limit.ts'
import { seededRandom } from '../../support/clock.ts'

const good = (latency: number, inFlight: number): Sample => ({ latency, inFlight, deadline: 500, healthy: true, dropped: false })
const dropped = (inFlight: number): Sample => ({ latency: 500, inFlight, deadline: 500, healthy: false, dropped: true })

interface Drive {
  /** Chance, for a service time that varies: drawn from an exponential distribution of the same mean. */
  readonly random?: () => number
  readonly workers: number
  readonly demand: number
  readonly from: number
  readonly ms: number
}

/**
 * A model upstream in virtual time: `workers` at 20 ms each with a queue in front, and demand that takes every permit up to
 * `demand`. Runs for `ms` from `from` and gives the limit at the end.
 */
function drive(limit: AdaptiveLimit, { workers, demand, from, ms, random }: Drive): number {
  for (let now = from; now < from + ms;) {
    const inFlight = Math.min(limit.limit, demand)
    const service = random === undefined ? 20 : -Math.log(1 - random()) * 20
    const latency = service + 20 * Math.max(0, inFlight / workers - 1)
    now += 20 * Math.max(1, inFlight / workers) / inFlight
    limit.record(latency > 500 ? dropped(inFlight) : good(latency, inFlight), now)
  }
  return limit.limit
}

suite('an adaptive limit', () => {
  test('starts wide enough for a first burst, but never above its bound', () => {
    deepEqual([1, 50, 256].map(max => new AdaptiveLimit(max).limit), [1, 50, 100])
  })

  test('gives up the room that nobody uses, down to a reserve', () => {
    const limit = new AdaptiveLimit(256)
    ok(drive(limit, { workers: 20, demand: 14, from: 0, ms: 5_000 }) <= 30)
    equal(drive(limit, { workers: 20, demand: 1, from: 5_000, ms: 10_000 }), 20)
  })

  test('does not grow while less than half of it is in use', () => {
    const limit = new AdaptiveLimit(256)
    const before = limit.limit
    for (let n = 0; n < 100; n++) limit.record(good(20, 10), n)
    equal(limit.limit, before)
  })

  test('grows with demand within a second when there is capacity', () => {
    const limit = new AdaptiveLimit(256)
    drive(limit, { workers: 1_000, demand: 10, from: 0, ms: 5_000 })
    ok(drive(limit, { workers: 1_000, demand: 200, from: 5_000, ms: 1_000 }) >= 200)
  })

  test('keeps a brown-out within its deadlines, and everything it can do in use', () => {
    const limit = new AdaptiveLimit(256)
    drive(limit, { workers: 20, demand: 14, from: 0, ms: 5_000 })
    const during = drive(limit, { workers: 2, demand: 1_000, from: 5_000, ms: 1_000 })
    ok(during >= 2 && during <= 28, `${during} calls at two workers`)
    ok(drive(limit, { workers: 20, demand: 14, from: 6_000, ms: 250 }) >= 14)
  })

  test('stays where it is in an overload that lasts: it does not take its own queue for the upstream', () => {
    const limit = new AdaptiveLimit(256)
    drive(limit, { workers: 20, demand: 14, from: 0, ms: 5_000 })
    for (let from = 5_000; from < 125_000; from += 1_000) {
      const now = drive(limit, { workers: 20, demand: 1_000, from, ms: 1_000 })
      ok(now >= 20 && now <= 70, `${now} calls for 20 workers at ${from} ms`)
    }
    ok(limit.baseline < 40, `the baseline is ${limit.baseline} ms`)
  })

  test('does not creep up in an overload of an hour, whether it began in it or not', () => {
    const limit = new AdaptiveLimit(256)
    for (let from = 0; from < 3_600_000; from += 10_000) {
      const now = drive(limit, { workers: 20, demand: 1_000, from, ms: 10_000 })
      // Fewer than 20 for the moment in which it measures.
      ok(now >= 12 && now <= 120, `${now} calls for 20 workers at ${from} ms`)
    }
  })

  suite('with service times that vary', () => {
    const random = seededRandom(11)
    const calm = (): AdaptiveLimit => {
      const limit = new AdaptiveLimit(256)
      drive(limit, { workers: 20, demand: 14, from: 0, ms: 10_000, random })
      return limit
    }

    test('takes their mean for the baseline, not the lowest of them', () => {
      const { baseline } = calm()
      ok(baseline > 15 && baseline < 24, `the baseline is ${baseline} ms`)
    })

    test('grows back after a brown-out within a quarter of a second', () => {
      const limit = calm()
      ok(drive(limit, { workers: 2, demand: 1_000, from: 10_000, ms: 5_000, random }) <= 30)
      ok(drive(limit, { workers: 20, demand: 14, from: 15_000, ms: 250, random }) >= 14)
    })

    test('keeps everything in use in an overload that lasts', () => {
      const limit = calm()
      for (let from = 10_000; from < 130_000; from += 1_000) {
        const now = drive(limit, { workers: 20, demand: 1_000, from, ms: 1_000, random })
        ok(now >= 12 && now <= 150, `${now} calls for 20 workers at ${from} ms`)
      }
    })
  })

  test('follows an upstream that has become slower, at first by and by', () => {
    const limit = new AdaptiveLimit(256)
    for (let now = 0; now < 5_000; now += 2) limit.record(good(20, 30), now)
    for (let now = 5_000; now < 25_000; now += 2) limit.record(good(60, 30), now)
    equal(limit.baseline, 60)
  })

  test('does not throttle an upstream that is slow by nature', () => {
    const limit = new AdaptiveLimit(256)
    for (let n = 0; n < 1_000; n++) limit.record(good(400, 60), n * 10)
    ok(limit.limit >= 60, `${limit.limit} permits`)
  })

  test('shrinks at once when asked for less, though once a round trip', () => {
    const limit = new AdaptiveLimit(256)
    for (let n = 0; n < 50; n++) limit.record({ ...good(20, 90), healthy: false, dropped: true }, 1_000 + n / 10)
    equal(limit.limit, 75)
    limit.record({ ...good(20, 90), healthy: false, dropped: true }, 1_020)
    equal(limit.limit, 56)
  })

  test('falls to what the last good replies needed when nothing comes back any more, not by and by', () => {
    const limit = new AdaptiveLimit(256)
    for (let now = 0; now < 1_000; now += 2) limit.record(good(20, 60), now)
    limit.record(dropped(60), 1_500)
    ok(limit.limit <= 16, `${limit.limit} permits, for 500 calls/s at 20 ms before that`)
  })

  test('does not take an upstream that asks for less for one that hangs', () => {
    const limit = new AdaptiveLimit(256)
    limit.record(good(20, 90), 0)
    limit.record({ ...good(1, 90), healthy: false, dropped: true }, 1_000)
    equal(limit.limit, 75)
  })

  test('falls to one when nothing comes back, and comes up again from there', () => {
    const limit = new AdaptiveLimit(256)
    for (let now = 0; now < 30_000; now += 500) limit.record(dropped(limit.limit), now)
    equal(limit.limit, 1)
    ok(drive(limit, { workers: 20, demand: 14, from: 30_000, ms: 200 }) >= 14)
  })

  test('leaves the good replies that do come what they need, whatever is dropped', () => {
    const limit = new AdaptiveLimit(256)
    // 100 good replies a second at 100 ms take ten permits; half as many calls again time out.
    for (let now = 0; now < 20_000; now += 10) {
      limit.record(good(100, 40), now)
      if (now % 20 === 0) limit.record(dropped(40), now)
    }
    ok(limit.limit >= 10, `${limit.limit} permits`)
  })

  test('is a whole number from 1 to its bound after whatever happens', () => {
    const sample = fc.record({
      latency: fc.double({ min: 0, max: 60_000, noNaN: true }), deadline: fc.integer({ min: 1, max: 60_000 }),
      inFlight: fc.integer({ min: 1, max: 1_000 }), healthy: fc.boolean(), dropped: fc.boolean(),
    })
    const steps = fc.array(fc.tuple(sample, fc.integer({ min: 0, max: 5_000 })))
    fc.assert(fc.property(fc.integer({ min: 1, max: 500 }), steps, (max, given) => {
      const limit = new AdaptiveLimit(max)
      let now = 0
      for (const [one, pause] of given) {
        limit.record(one, now += pause)
        ok(Number.isInteger(limit.limit) && limit.limit >= 1 && limit.limit <= max)
      }
      limit.tune(1)
      equal(limit.limit, 1)
    }), { seed: 7, numRuns: 200 })
  })
})
