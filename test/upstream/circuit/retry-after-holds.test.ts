import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Holds } from '../../../src/upstream/circuit/retry-after-holds.ts'

const ENOUGH = 5

suite('the holds of an endpoint', () => {
  test('keep a path to itself, for as long as it asked', () => {
    const holds = new Holds()
    holds.beginPath('/orders', 2_000, ENOUGH, 0)
    deepEqual([holds.pathLeft('/orders', 500), holds.pathLeft('/stock', 500), holds.left(500)], [1_500, 0, 0])
    deepEqual([holds.isActive(500), holds.isAnyActive(500)], [false, true])
    deepEqual([holds.pathLeft('/orders', 2_000), holds.isAnyActive(2_000)], [0, false])
  })

  test('are for all calls once so many outcomes in a row asked to wait, and then at once until a call succeeds', () => {
    const holds = new Holds()
    for (let n = 1; n < ENOUGH; n++) holds.beginPath(`/orders/${n}`, 1_000, ENOUGH, 0)
    equal(holds.isActive(0), false)
    holds.beginPath('/orders/5', 1_000, ENOUGH, 0)
    equal(holds.left(0), 1_000)
    holds.beginPath('/orders/6', 1_000, ENOUGH, 3_000)
    equal(holds.left(3_000), 1_000, 'one is enough')
    holds.served(3, 9_000)
    holds.beginPath('/orders/7', 1_000, ENOUGH, 9_000)
    deepEqual([holds.left(9_000), holds.pathLeft('/orders/7', 9_000)], [0, 1_000], 'a call has succeeded')
  })

  test('end early when calls that were in flight succeed: of a path by its own, of all by any', () => {
    const holds = new Holds()
    holds.beginPath('/orders', 1_000, ENOUGH, 0)
    holds.served(1, 0)
    holds.servedPath('/stock', 1, 0)
    equal(holds.pathLeft('/orders', 0), 1_000)
    holds.servedPath('/orders', 2, 0)
    equal(holds.pathLeft('/orders', 0), 1_000)
    holds.servedPath('/orders', 2, 0)
    equal(holds.pathLeft('/orders', 0), 0)
    holds.begin(1_000, 0)
    holds.served(1, 0)
    equal(holds.isActive(0), false)
  })

  test('are bounded: the path held first gives way', () => {
    const holds = new Holds()
    for (let n = 0; n < 1_000; n++) holds.beginPath(`/${n}`, 1_000, Infinity, 0)
    const held = Array.from({ length: 1_000 }, (_, n) => holds.pathLeft(`/${n}`, 0)).filter(left => left > 0)
    deepEqual([held.length, holds.pathLeft('/999', 0), holds.pathLeft('/0', 0)], [256, 1_000, 0])
  })

  test('end by hand', () => {
    const holds = new Holds()
    holds.begin(1_000, 0)
    holds.beginPath('/orders', 1_000, ENOUGH, 0)
    holds.end()
    equal(holds.isAnyActive(0), false)
  })
})
