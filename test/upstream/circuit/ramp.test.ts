import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Ramp } from '../../../src/upstream/circuit/ramp.ts'

suite('a ramp', () => {
  test('that never began holds nothing back', () => {
    const ramp = new Ramp()
    deepEqual([ramp.admits(0), ramp.isActive(0)], [true, false])
  })

  test('admits so many at a time, one more with each success', () => {
    const ramp = new Ramp()
    ramp.start(2, 1_000, 0)
    ramp.enter()
    equal(ramp.admits(1), true)
    ramp.enter()
    equal(ramp.admits(1), false)
    ramp.leave(true)
    ramp.enter()
    equal(ramp.admits(1), true)
    ramp.enter()
    equal(ramp.admits(1), false)
  })

  test('does not grow with a failure, and gives its place back', () => {
    const ramp = new Ramp()
    ramp.start(1, 1_000, 0)
    for (let n = 0; n < 10; n++) {
      equal(ramp.admits(n), true)
      ramp.enter()
      equal(ramp.admits(n), false)
      ramp.leave(false)
    }
  })

  test('doubles with every round trip', () => {
    const ramp = new Ramp()
    ramp.start(3, 1_000, 0)
    const rounds = Array.from({ length: 5 }, (_, round) => {
      let entered = 0
      for (; ramp.admits(round); entered++) ramp.enter()
      for (let n = 0; n < entered; n++) ramp.leave(true)
      return entered
    })
    deepEqual(rounds, [3, 6, 12, 24, 48])
  })

  test('is over in time, whatever is in flight', () => {
    const ramp = new Ramp()
    ramp.start(1, 1_000, 0)
    ramp.enter()
    deepEqual([ramp.admits(999), ramp.isActive(999)], [false, true])
    deepEqual([ramp.admits(1_000), ramp.isActive(1_000)], [true, false])
  })

  test('of no length is none', () => {
    const ramp = new Ramp()
    ramp.start(1, 0, 500)
    ramp.enter()
    equal(ramp.admits(500), true)
  })

  test('is not confused by a call that ends after a new one began', () => {
    const ramp = new Ramp()
    ramp.start(1, 1_000, 0)
    ramp.leave(false)
    ramp.enter()
    equal(ramp.admits(1), false)
  })
})
