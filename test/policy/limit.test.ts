import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Limit } from '../../src/policy/limit.ts'
import { policyOf } from '../support/calls.ts'

const sampleOf = (latency: number) => ({ latency, deadline: 1_000, inFlight: 1, healthy: true, dropped: false })
const limitOf = (max: number, adaptive = false): Limit => new Limit(policyOf({ limit: { adaptive, max } }).limit)

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
      limit.permits.wait(() => {})
    }
    deepEqual(expected, [50, 100, 150, 200])
    deepEqual([limit.expectedWait('critical', 0), limit.expectedWait('background', 0)], [50, 250])
  })

  test('is short in overload, where the newest is served first', () => {
    const limit = limitOf(2)
    limit.learn(sampleOf(200), 0)
    limit.permits.patience = 100
    limit.permits.take()
    limit.permits.take()
    for (let n = 0; n < 10; n++) limit.permits.wait(() => {})
    deepEqual([limit.expectedWait('normal', 100), limit.expectedWait('normal', 101)], [1_100, 100])
  })

  test('follows what is measured', () => {
    const limit = limitOf(1)
    for (let n = 0; n < 100; n++) limit.learn(sampleOf(n < 50 ? 500 : 20), n)
    equal(Math.round(limit.expectedWait('normal', 100)), 22)
  })
})

suite('the usual latency', () => {
  test('is what an adaptive limit has found; a fixed one does not know', () => {
    const [adaptive, fixed] = [limitOf(4, true), limitOf(4)]
    for (const limit of [adaptive, fixed]) limit.learn(sampleOf(30), 0)
    deepEqual([adaptive.usual, fixed.usual], [30, 0])
  })
})
