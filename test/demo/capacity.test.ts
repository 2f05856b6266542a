import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Capacity, type Timing } from '../../demo/capacity.ts'

/** Time that moves when it is told to, with timers that may fire late. */
class HeldTime implements Timing {
  late = 0
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): void {
    this.#timers.push({ at: this.#now + ms + this.late, run })
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.#now = next.at
      next.run()
    }
    this.#now = until
  }
}

function model(workers: number, serviceTime: number | (() => number)) {
  const time = new HeldTime()
  const capacity = new Capacity(workers, serviceTime, time)
  const ended: string[] = []
  const add = (...names: (string | number)[]): void => {
    for (const name of names) {
      capacity.add(outcome => ended.push(outcome === 'finished' ? `${name}@${time.now()}` : `${name} ${outcome}`))
    }
  }
  return { time, capacity, ended, add }
}

suite('a capacity', () => {
  test('serves as many jobs at once as it has workers, the others in the order they came', () => {
    const { time, capacity, ended, add } = model(2, 20)
    add('a', 'b', 'c', 'd', 'e')
    deepEqual([capacity.busy, capacity.queued], [2, 3])
    time.advance(20)
    deepEqual(ended, ['a@20', 'b@20'])
    deepEqual([capacity.busy, capacity.queued], [2, 1])
    time.advance(40)
    deepEqual(ended, ['a@20', 'b@20', 'c@40', 'd@40', 'e@60'])
    deepEqual([capacity.busy, capacity.queued], [0, 0])
  })

  test('draws the time of each job, if told to', () => {
    const times = [30, 10, 5]
    const { time, ended, add } = model(2, () => times.shift()!)
    add('a', 'b', 'c')
    time.advance(30)
    deepEqual(ended, ['b@10', 'c@15', 'a@30'])
  })

  test('is workers / service time per second, no less when timers are late', () => {
    const { time, ended, add } = model(20, 20)
    time.late = 1.5
    add(...Array.from({ length: 5000 }, (_, index) => index))
    time.advance(1001.5)
    equal(ended.length, 1000)
    time.advance(1000)
    equal(ended.length, 2000)
  })

  test('is not saved up while there is nothing to do', () => {
    const { time, ended, add } = model(1, 20)
    time.advance(1000)
    add('a', 'b')
    time.advance(40)
    deepEqual(ended, ['a@1020', 'b@1040'])
  })

  test('does what was asked for even when nobody waits for it any more', () => {
    const { time, capacity, add } = model(1, 20)
    add(...Array.from({ length: 3000 }, (_, index) => index))
    time.advance(20 * 2000)
    equal(capacity.queued, 999)
    time.advance(20 * 1000)
    deepEqual([capacity.busy, capacity.queued], [0, 0])
  })

  test('shrinks as workers finish and grows at once', () => {
    const { time, capacity, ended, add } = model(3, 20)
    add('a', 'b', 'c', 'd', 'e', 'f')
    capacity.workers = 1
    equal(capacity.busy, 3)
    time.advance(20)
    deepEqual([capacity.busy, capacity.queued], [1, 2])
    capacity.workers = 0
    time.advance(100)
    deepEqual([capacity.busy, capacity.queued], [0, 2])
    capacity.workers = 3
    deepEqual([capacity.busy, capacity.queued], [2, 0])
    time.advance(20)
    deepEqual(ended, ['a@20', 'b@20', 'c@20', 'd@40', 'e@140', 'f@140'])
  })

  test('loses in a crash what is in hand and what waits, once', () => {
    const { time, capacity, ended, add } = model(2, 20)
    add('a', 'b', 'c')
    time.advance(10)
    capacity.lose()
    deepEqual(ended, ['a lost', 'b lost', 'c lost'])
    add('d')
    time.advance(100)
    deepEqual(ended.slice(3), ['d@30'])
    deepEqual([capacity.busy, capacity.queued], [0, 0])
  })
})
