import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Limit } from '../../../src/upstream/limit/limit.ts'
import { policyOf } from '../../support/calls.ts'
import { join, OPEN } from '../../support/permits.ts'

const sampleOf = (latency: number) => ({ latency, deadline: 1_000, inFlight: 1, healthy: true, dropped: false })
const limitOf = (max: number, adaptive = false): Limit => new Limit(policyOf({ limit: { adaptive, max } }).limit, OPEN)

suite('the wait that a newcomer has to expect', () => {
  test('is nothing while nobody knows how long a permit is held', () => {
    equal(limitOf(4).expectedWait('normal', 0), 0)
  })

  test('is the time a permit is held, shared by all permits, once for each who is ahead and once for itself', () => {
    const limit = limitOf(4)
    limit.learn(sampleOf(200), 0)
    const expected: number[] = []
    for (let n = 0; n < 4; n++) limit.permits.take()
    for (let n = 0; n < 4; n++) {
      expected.push(limit.expectedWait('normal', 0))
      join(limit.permits, () => {})
    }
    deepEqual(expected, [50, 100, 150, 200])
    deepEqual([limit.expectedWait('critical', 0), limit.expectedWait('background', 0)], [50, 250])
  })

  test('is short in overload, where the newest is served first', () => {
    const limit = limitOf(2)
    limit.learn(sampleOf(200), 0)
    limit.permits.setPatience(100, 0)
    limit.permits.take()
    limit.permits.take()
    for (let n = 0; n < 10; n++) join(limit.permits, () => {})
    deepEqual([limit.expectedWait('normal', 100), limit.expectedWait('normal', 101)], [1_100, 100])
  })

  test('follows what is measured', () => {
    const limit = limitOf(1)
    for (let n = 0; n < 100; n++) limit.learn(sampleOf(n < 50 ? 500 : 20), n)
    equal(Math.round(limit.expectedWait('normal', 100)), 22)
  })
})

suite('an upstream that returns', () => {
  const probe = (latency: number, healthy = true) => ({ ...sampleOf(latency), healthy })
  /** Before an outage calls took 20 ms; those in it ran out of time. */
  const afterOutage = (adaptive = true): Limit => {
    const limit = limitOf(256, adaptive)
    for (let now = 0; now < 1_000; now += 10) limit.learn(sampleOf(20), now)
    for (let now = 1_000; now < 4_000; now += 10) limit.learn({ ...sampleOf(1_000), healthy: false, dropped: true }, now)
    return limit
  }
  const queue = (limit: Limit, count: number, now: number): void => {
    for (let n = 0; n < count; n++) join(limit.permits, () => {}, { now })
  }

  test('takes no longer than it always did, by its first good probe, and as long as the next says', () => {
    const limit = afterOutage()
    deepEqual([Math.round(limit.holdTime), limit.permits.max], [1_000, 1])
    limit.probed(probe(700), 5_000)
    equal(limit.holdTime, 20)
    limit.probed(probe(25), 5_020)
    equal(limit.holdTime, 25)
  })

  test('is measured again where no baseline is known, as the limit is fixed', () => {
    const limit = afterOutage(false)
    limit.probed(probe(30), 5_000)
    equal(limit.holdTime, 0, 'the first may have been out for long')
    limit.learn(sampleOf(25), 5_025)
    equal(limit.holdTime, 25)
  })

  test('makes those wait who can be served once the permits have doubled a few times', () => {
    const limit = afterOutage()
    limit.permits.take()
    limit.probed(probe(700), 5_000)
    const expected = [0, 6, 24, 32].map(more => {
      queue(limit, more, 5_000)
      return limit.expectedWait('normal', 5_000)
    })
    // 1, 7, 31 and 63 turns of one permit.
    deepEqual(expected, [20, 60, 100, 120])
  })

  test('is not overloaded while they wait, however long, until a reply is late', () => {
    const limit = afterOutage()
    limit.permits.take()
    limit.probed(probe(700), 5_000)
    queue(limit, 50, 5_000)
    equal(limit.permits.isOverloaded(9_000), false)
    limit.learn({ ...sampleOf(900), healthy: true }, 9_000)
    deepEqual([limit.permits.isOverloaded(9_100), limit.permits.isOverloaded(9_101)], [false, true])
  })

  test('has done so when nobody waits any more', () => {
    const limit = afterOutage()
    limit.probed(probe(700), 5_000)
    limit.learn(sampleOf(20), 5_020)
    limit.permits.take()
    queue(limit, 9, 5_020)
    equal(limit.expectedWait('normal', 5_020), 10 * 20 / limit.permits.max)
  })

  test('has not done so when a later probe fails', () => {
    const limit = afterOutage()
    limit.permits.take()
    limit.probed(probe(700), 5_000)
    limit.probed(probe(10, false), 5_010)
    queue(limit, 3, 5_010)
    deepEqual([limit.expectedWait('normal', 5_010), limit.permits.isOverloaded(5_111)], [80, true])
  })
})
