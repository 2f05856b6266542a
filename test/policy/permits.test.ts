import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Permits } from '../../src/policy/permits.ts'

suite('permits', () => {
  test('are bounded, and come back', () => {
    const permits = new Permits(2)
    deepEqual([permits.take(), permits.take(), permits.take()], [true, true, false])
    permits.release()
    equal(permits.taken, 1)
    equal(permits.take(), true)
  })

  test('go to those who wait, first in, first out', () => {
    const permits = new Permits(1)
    const served: string[] = []
    permits.take()
    for (const name of ['a', 'b', 'c']) permits.wait(() => served.push(name))
    equal(permits.queued, 3)
    permits.release()
    deepEqual(served, ['a'])
    permits.release()
    permits.release()
    deepEqual(served, ['a', 'b', 'c'])
    deepEqual([permits.taken, permits.queued], [1, 0])
  })

  test('cannot be taken past those who wait', () => {
    const permits = new Permits(1)
    permits.take()
    const waiter = permits.wait(() => {})
    permits.resize(1)
    equal(permits.take(), false)
    permits.leave(waiter)
    permits.release()
    equal(permits.take(), true)
  })

  test('pass over those who have left, wherever in the queue they stood', () => {
    for (const leaving of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]]) {
      const permits = new Permits(1)
      const served: number[] = []
      permits.take()
      const waiters = [0, 1, 2].map(index => permits.wait(() => served.push(index)))
      for (const index of leaving) permits.leave(waiters[index]!)
      equal(permits.queued, 3 - leaving.length)
      for (let n = 0; n < 3 - leaving.length + 1; n++) permits.release()
      deepEqual(served, [0, 1, 2].filter(index => !leaving.includes(index)))
      deepEqual([permits.taken, permits.queued], [0, 0])
    }
  })

  test('may be left twice, or after they were granted, without harm', () => {
    const permits = new Permits(1)
    permits.take()
    const first = permits.wait(() => {})
    const second = permits.wait(() => {})
    permits.leave(second)
    permits.leave(second)
    equal(permits.queued, 1)
    permits.release()
    permits.leave(first)
    deepEqual([permits.taken, permits.queued], [1, 0])
  })

  test('can be joined again by whoever is granted one', () => {
    const permits = new Permits(1)
    const served: string[] = []
    permits.take()
    permits.wait(() => {
      served.push('a')
      permits.wait(() => served.push('b'))
    })
    permits.release()
    deepEqual(served, ['a'])
    permits.release()
    deepEqual(served, ['a', 'b'])
  })

  test('grow for those who wait, and shrink without taking any away', () => {
    const permits = new Permits(1)
    let served = 0
    permits.take()
    for (let n = 0; n < 3; n++) permits.wait(() => served++)
    permits.resize(3)
    deepEqual([served, permits.taken, permits.max], [2, 3, 3])
    permits.resize(1)
    equal(permits.taken, 3)
    permits.release()
    permits.release()
    deepEqual([served, permits.taken], [2, 1])
    permits.release()
    deepEqual([served, permits.taken], [3, 1])
  })

  test('without a bound are counted all the same', () => {
    const permits = new Permits(Infinity)
    for (let n = 0; n < 1_000; n++) equal(permits.take(), true)
    equal(permits.taken, 1_000)
  })

  suite('in overload', () => {
    const overloaded = (): { permits: Permits; log: string[] } => {
      const permits = new Permits(1)
      permits.patience = 100
      permits.take()
      const log: string[] = []
      for (const [name, at] of [['a', 0], ['b', 50], ['c', 120]] as const) {
        permits.wait(() => log.push(name), () => log.push(`${name} displaced`), at)
      }
      return { permits, log }
    }

    test('begins when the queue has not been empty for longer than there is patience', () => {
      const { permits } = overloaded()
      deepEqual([permits.isOverloaded(100), permits.isOverloaded(101)], [false, true])
    })

    test('go to the newest, who has the most time left', () => {
      const { permits, log } = overloaded()
      permits.release(150)
      deepEqual(log, ['c'])
    })

    test('the oldest makes room', () => {
      const { permits, log } = overloaded()
      permits.displace(2)
      deepEqual([log, permits.queued], [['a displaced', 'b displaced'], 1])
    })

    test('is over when the queue has been empty', () => {
      const { permits, log } = overloaded()
      permits.displace(1)
      permits.wait(() => log.push('d'), () => log.push('d displaced'), 200)
      permits.wait(() => log.push('e'), () => log.push('e displaced'), 210)
      equal(permits.isOverloaded(250), false)
      permits.release(250)
      equal(log.at(-1), 'd')
    })
  })
})
