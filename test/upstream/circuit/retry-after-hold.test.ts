import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RetryAfterHold } from '../../../src/upstream/circuit/retry-after-hold.ts'

suite('a hold of calls', () => {
  test('lasts as long as the longest that was asked for', () => {
    const hold = new RetryAfterHold()
    equal(hold.isActive(0), false)
    hold.begin(1_000, 500)
    hold.begin(100, 600)
    deepEqual([hold.left(600), hold.isActive(1_499), hold.isActive(1_500), hold.left(1_600)], [900, true, false, 0])
  })

  test('ends with the last of enough calls that come back well in it', () => {
    const hold = new RetryAfterHold()
    hold.served(1, 0)
    hold.begin(1_000, 0)
    hold.served(2, 10)
    equal(hold.isActive(10), true)
    hold.served(2, 20)
    equal(hold.isActive(20), false)
  })

  test('counts anew when it begins anew, but not when it goes on', () => {
    const hold = new RetryAfterHold()
    hold.begin(1_000, 0)
    hold.served(2, 10)
    hold.begin(1_000, 2_000)
    hold.served(2, 2_010)
    equal(hold.isActive(2_010), true)
    hold.begin(1_000, 2_500)
    hold.served(2, 2_510)
    equal(hold.isActive(2_510), false)
  })
})
