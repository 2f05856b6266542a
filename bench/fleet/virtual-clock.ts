import type { Clock, Timer } from '../../src/clock.ts'

interface Armed extends Timer {
  readonly due: number
  /** The order in which they were armed, for those due at the same instant. */
  readonly order: number
  run: ((late: number) => void) | undefined
}

/** Turns of the event loop asked for at a time: one by one they cost three times as much. */
const BATCH = 256

const isBefore = (a: Armed, b: Armed): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

/**
 * A clock whose time is not real: it jumps from one timer to the next, so that an hour takes as long as what happens in
 * it. Each timer fires in a turn of the event loop of its own, as Node runs every promise job there is between two
 * immediates: a call has gone as far as it can before time moves on, and the order is the same in every run.
 */
export class VirtualClock implements Clock {
  readonly stalledAt = -Infinity
  /** Timers fired so far. */
  fired = 0
  #now = 0
  #armed = 0
  /** A binary heap by due time; what is cancelled stays until it would have been due. */
  readonly #heap: Armed[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, run: (late: number) => void): Timer {
    if (Number.isNaN(ms)) throw new RangeError('virtual clock: a timer of NaN ms')
    const timer: Armed = {
      due: this.#now + Math.max(0, ms), order: this.#armed++, run, cancel: () => { timer.run = undefined },
    }
    if (ms < Infinity) this.#push(timer)
    return timer
  }

  /** Moves time on, firing what falls due. */
  run(until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const finish = (settle: () => void): void => {
        isOver = true
        settle()
      }
      const turn = (): void => {
        if (isOver) return
        try {
          if (this.#fire(until)) return
          this.#now = Math.max(this.#now, until)
          finish(resolve)
        } catch (error) {
          finish(() => { reject(error) })
        }
      }
      const turns = (): void => {
        for (let index = 0; index < BATCH; index++) setImmediate(turn)
        setImmediate(() => { if (!isOver) turns() })
      }
      turns()
    })
  }

  /** Fires the next timer that is due by `until`, if there is one. */
  #fire(until: number): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.due <= until; next = this.#heap[0]) {
      this.#pop()
      const { run } = next
      if (run === undefined) continue
      this.fired++
      this.#now = next.due
      run(0)
      return true
    }
    return false
  }

  #push(timer: Armed): void {
    const heap = this.#heap
    let at = heap.length
    for (let parent = at - 1 >> 1; at > 0 && isBefore(timer, heap[parent]!); parent = at - 1 >> 1) {
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  /** Takes out the first one. */
  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
