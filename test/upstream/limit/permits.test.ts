import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Priority } from '../../../src/options/upstream-options.ts'
import { Permits } from '../../../src/upstream/limit/permits.ts'
import type { Waiter } from '../../../src/upstream/limit/queue.ts'
import { join, permitsOf } from '../../support/permits.ts'

suite('permits', () => {
  test('are bounded, and come back', () => {
    const permits = permitsOf(2)
    deepEqual([permits.take(), permits.take(), permits.take()], [true, true, false])
    permits.release(0)
    equal(permits.taken, 1)
    equal(permits.take(), true)
  })

  test('go to those who wait, first in, first out', () => {
    const permits = permitsOf(1)
    const served: string[] = []
    permits.take()
    for (const name of ['a', 'b', 'c']) join(permits, () => served.push(name))
    equal(permits.queued, 3)
    permits.release(0)
    deepEqual(served, ['a'])
    permits.release(0)
    permits.release(0)
    deepEqual(served, ['a', 'b', 'c'])
    deepEqual([permits.taken, permits.queued], [1, 0])
  })

  test('cannot be taken past those who wait', () => {
    const permits = permitsOf(1)
    permits.take()
    const waiter = join(permits, () => {})
    permits.resize(1, 0)
    equal(permits.take(), false)
    permits.leave(waiter)
    permits.release(0)
    equal(permits.take(), true)
  })

  test('pass over those who have left, wherever in the queue they stood', () => {
    for (const leaving of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]]) {
      const permits = permitsOf(1)
      const served: number[] = []
      permits.take()
      const waiters = [0, 1, 2].map(index => join(permits, () => served.push(index)))
      for (const index of leaving) permits.leave(waiters[index]!)
      equal(permits.queued, 3 - leaving.length)
      for (let n = 0; n < 3 - leaving.length + 1; n++) permits.release(0)
      deepEqual(served, [0, 1, 2].filter(index => !leaving.includes(index)))
      deepEqual([permits.taken, permits.queued], [0, 0])
    }
  })

  test('may be left twice, or after they were granted, without harm', () => {
    const permits = permitsOf(1)
    permits.take()
    const first = join(permits, () => {})
    const second = join(permits, () => {})
    permits.leave(second)
    permits.leave(second)
    equal(permits.queued, 1)
    permits.release(0)
    permits.leave(first)
    deepEqual([permits.taken, permits.queued], [1, 0])
  })

  test('can be joined again by whoever is granted one', () => {
    const permits = permitsOf(1)
    const served: string[] = []
    permits.take()
    join(permits, () => {
      served.push('a')
      join(permits, () => served.push('b'))
    })
    permits.release(0)
    deepEqual(served, ['a'])
    permits.release(0)
    deepEqual(served, ['a', 'b'])
  })

  test('grow for those who wait, and shrink without taking any away', () => {
    const permits = permitsOf(1)
    let served = 0
    permits.take()
    for (let n = 0; n < 3; n++) join(permits, () => served++)
    permits.resize(3, 0)
    deepEqual([served, permits.taken, permits.max], [2, 3, 3])
    permits.resize(1, 0)
    equal(permits.taken, 3)
    permits.release(0)
    permits.release(0)
    deepEqual([served, permits.taken], [2, 1])
    permits.release(0)
    deepEqual([served, permits.taken], [3, 1])
  })

  test('given back in the moment they are granted do not pile up on the stack', () => {
    const permits = permitsOf(1)
    let served = 0
    permits.take()
    for (let n = 0; n < 100_000; n++) {
      join(permits, () => {
        served++
        permits.release(0)
      })
    }
    permits.release(0)
    deepEqual([served, permits.taken, permits.queued], [100_000, 0, 0])
  })

  test('are still granted after one who was granted theirs has thrown', () => {
    const permits = permitsOf(1)
    let served = 0
    permits.take()
    join(permits, () => { throw new Error('a bug') })
    join(permits, () => served++)
    throws(() => permits.release(0), /a bug/)
    permits.release(0)
    equal(served, 1)
  })

  test('are kept while those who wait are held, and granted when they no longer are', () => {
    let [served, held] = [0, true]
    const permits = new Permits(2, { admits: () => !held, isOpening: () => true })
    permits.take()
    join(permits, () => served++)
    join(permits, () => served++)
    permits.resize(2, 0)
    deepEqual([served, permits.taken, permits.take()], [0, 1, false])
    held = false
    permits.release(0)
    deepEqual([served, permits.taken], [2, 2])
  })

  test('without a bound are counted all the same', () => {
    const permits = permitsOf(Infinity)
    for (let n = 0; n < 1_000; n++) equal(permits.take(), true)
    equal(permits.taken, 1_000)
  })

  suite('in overload', () => {
    const overloaded = (): { permits: Permits; log: string[] } => {
      const permits = permitsOf(1)
      permits.setPatience(100, 0)
      permits.take()
      const log: string[] = []
      for (const [name, at] of [['a', 0], ['b', 50], ['c', 120]] as const) {
        join(permits, () => log.push(name), { displaced: () => log.push(`${name} displaced`), now: at })
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
      equal(permits.makeRoom(2, 'normal', 150), true)
      deepEqual([log, permits.queued], [['a displaced', 'b displaced'], 1])
    })

    test('cannot be told while the wait proves nothing, nor by what was waited until then', () => {
      const { permits } = overloaded()
      permits.setPatience(Infinity, 130)
      equal(permits.isOverloaded(10_000), false)
      permits.setPatience(100, 10_000)
      deepEqual([permits.isOverloaded(10_100), permits.isOverloaded(10_101)], [false, true])
      permits.setPatience(50, 10_090)
      equal(permits.isOverloaded(10_060), true, 'another patience alone is no new beginning')
    })

    test('is over when the queue has been empty', () => {
      const { permits, log } = overloaded()
      equal(permits.makeRoom(1, 'normal', 150), true)
      join(permits, () => log.push('d'), { now: 200 })
      join(permits, () => log.push('e'), { now: 210 })
      equal(permits.isOverloaded(250), false)
      permits.release(250)
      equal(log.at(-1), 'd')
    })
  })

  suite('for calls that matter more, or less', () => {
    /** One permit, taken, and a queue of waiters by priority, in the order of arrival. */
    const waiting = (...priorities: Priority[]): { permits: Permits; log: string[] } => {
      const permits = permitsOf(1)
      permits.setPatience(100, 0)
      permits.take()
      const log: string[] = []
      priorities.forEach((priority, index) => {
        const name = `${priority} ${index}`
        join(permits, () => log.push(name), { displaced: () => log.push(`${name} displaced`), now: index, priority })
      })
      return { permits, log }
    }
    const serveAll = (permits: Permits, now: number): void => { while (permits.taken > 0) permits.release(now) }

    test('go to the critical first and to the background last, in order of arrival among equals', () => {
      const { permits, log } = waiting('background', 'normal', 'critical', 'normal', 'critical')
      serveAll(permits, 50)
      deepEqual(log, ['critical 2', 'critical 4', 'normal 1', 'normal 3', 'background 0'])
    })

    test('in overload go to the newest among equals, and still to the critical first', () => {
      const { permits, log } = waiting('critical', 'normal', 'critical', 'normal')
      permits.release(200)
      permits.release(200)
      deepEqual(log, ['critical 2', 'critical 0'])
    })

    test('count who is ahead: equals too, unless the newest of them is served first', () => {
      const { permits } = waiting('background', 'normal', 'normal', 'critical')
      const ahead = (now: number): number[] =>
        (['critical', 'normal', 'background'] as const).map(priority => permits.ahead(priority, now))
      deepEqual([ahead(50), ahead(200)], [[1, 3, 4], [0, 1, 3]])
    })

    // Who waits, who comes, when there are 3 places: who goes, and whether there is a place then.
    const cases: readonly [queue: Priority[], newcomer: Priority, now: number, gone: string[], place: boolean][] = [
      [['normal', 'normal'], 'background', 50, [], true],
      [['normal', 'normal', 'normal'], 'normal', 50, [], false],
      [['normal', 'normal', 'normal'], 'background', 50, [], false],
      [['normal', 'normal', 'normal'], 'critical', 50, ['normal 0 displaced'], true],
      [['background', 'normal', 'background'], 'normal', 50, ['background 0 displaced'], true],
      [['background', 'normal', 'background'], 'critical', 50, ['background 0 displaced'], true],
      [['critical', 'critical', 'critical'], 'critical', 50, [], false],
      [['critical', 'critical', 'critical'], 'critical', 200, ['critical 0 displaced'], true],
      [['critical', 'critical', 'critical'], 'normal', 200, [], false],
      [['critical', 'normal', 'normal'], 'normal', 200, ['normal 1 displaced'], true],
    ]
    for (const [queue, newcomer, now, gone, place] of cases) {
      const when = now > 100 ? 'in overload' : 'in a burst'
      test(`${newcomer} meets ${queue.join(', ')} ${when}: ${gone.join() || 'nobody goes'}`, () => {
        const { permits, log } = waiting(...queue)
        deepEqual([permits.makeRoom(3, newcomer, now), log], [place, gone])
      })
    }

    test('never shed a call for one that matters less, and serve by rank, whatever comes and goes', () => {
      const priority = fc.constantFrom<Priority>('critical', 'normal', 'background')
      const rank: Record<Priority, number> = { critical: 0, normal: 1, background: 2 }
      fc.assert(fc.property(fc.array(fc.tuple(priority, fc.boolean(), fc.nat(300)), { maxLength: 60 }), steps => {
        const permits = permitsOf(2)
        permits.setPatience(100, 0)
        const inside = new Map<Waiter, Priority>()
        let now = 0
        for (const [given, arrives, pause] of steps) {
          now += pause
          if (!arrives) {
            if (permits.taken > 0) permits.release(now)
          } else if (!permits.take() && permits.makeRoom(4, given, now)) {
            const waiter: Waiter = permits.wait(
              () => {
                inside.delete(waiter)
                for (const other of inside.values()) ok(rank[given] <= rank[other], `${given} was served before ${other}`)
              },
              () => {
                inside.delete(waiter)
                for (const other of inside.values()) ok(rank[given] >= rank[other], `${given} was shed before ${other}`)
              },
              now, given,
            )
            inside.set(waiter, given)
          }
          deepEqual([permits.queued, permits.queued <= 4, permits.taken <= 2], [inside.size, true, true])
        }
      }))
    })
  })
})
