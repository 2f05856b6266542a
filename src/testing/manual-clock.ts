import type { Clock, Timer } from '../clock.ts'

// Saved when the module is loaded, so that a test which mocks the globals cannot stop it.
const { setImmediate } = globalThis

/** Turns of the event loop until promise jobs, ticks and immediates have settled: an immediate may itself set another. */
const TURNS = 2

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>(resolve => { setImmediate(resolve) })
}

/** A clock that only moves when a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Advances the time by `ms` and fires the timers that fall due, in order; promise jobs settle before, between and after them.
   * @throws RangeError for a time that is negative or not finite, or when timers arm each other without end.
   */
  advance(ms: number): Promise<void>
  /** Advances the time and fires the due timers synchronously: no promise job runs until it returns. @throws RangeError */
  tick(ms: number): void
  /** Simulates a blocked event loop: the time jumps, then all timers due meanwhile fire late. @throws RangeError */
  stall(ms: number): Promise<void>
  /** Time until the next timer falls due, in ms; Infinity if none is armed. */
  readonly nextIn: number
  /** Number of timers that are armed, without background timers. */
  readonly pending: number
  /** Number of background timers that are armed. */
  readonly background: number
}

interface Armed {
  readonly due: number
  readonly background: boolean
  readonly run: (late: number) => void
}

/** More timers than this in one move of the clock count as an endless loop. */
const MAX_FIRED = 100_000

/** The index for a timer due at `due`: after all that are due no later, so that timers due at the same time keep their order. */
const placeOf = (due: number, queue: readonly Armed[]): number => {
  let [low, high] = [0, queue.length]
  while (low < high) {
    const middle = low + high >>> 1
    if ((queue[middle] as Armed).due <= due) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Creates a clock for `createClient({ env })` that a test moves by hand. Timers due at the same time fire in the order they were
 * armed.
 *
 * @param start - the initial time, in ms.
 * @example
 * const clock = manualClock()
 * clock.after(50, () => console.log('fifty ms later, without waiting'))
 * await clock.advance(50)
 */
export const manualClock = (start = 1_000_000): ManualClock => {
  const queue: Armed[] = []
  let now = start
  let stalledAt = -Infinity

  /** Fires the timers due by `until`, one per step; a generator, so that the caller decides what happens between them. */
  function* fire(until: number): Generator<void, void> {
    for (let fired = 0; queue[0] !== undefined && queue[0].due <= until; fired++) {
      if (fired === MAX_FIRED) throw new RangeError(`manual clock: ${MAX_FIRED} timers fired by ${until} and more are due`)
      const next = queue.shift() as Armed
      now = Math.max(now, next.due)
      next.run(now - next.due)
      yield
    }
    now = Math.max(now, until)
  }

  const target = (ms: number): number => {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`manual clock: cannot advance by ${ms} ms`)
    return now + ms
  }

  const count = (background: boolean): number => queue.filter(timer => timer.background === background).length

  return {
    now: () => now,
    get stalledAt(): number { return stalledAt },
    get nextIn(): number { return Math.max(0, (queue[0]?.due ?? Infinity) - now) },
    get pending(): number { return count(false) },
    get background(): number { return count(true) },

    after(ms: number, run: (late: number) => void, background = false): Timer {
      if (Number.isNaN(ms)) throw new RangeError('manual clock: cannot arm a timer of NaN ms')
      const timer: Armed = { due: now + Math.max(0, ms), background, run }
      if (ms < Infinity) queue.splice(placeOf(timer.due, queue), 0, timer)
      return {
        cancel(): void {
          const place = queue.indexOf(timer)
          if (place >= 0) queue.splice(place, 1)
        },
      }
    },

    async advance(ms: number): Promise<void> {
      await settle()
      for (const _ of fire(target(ms))) await settle()
      await settle()
    },

    tick(ms: number): void {
      for (const _ of fire(target(ms)));
    },

    async stall(ms: number): Promise<void> {
      now = target(ms)
      stalledAt = now
      for (const _ of fire(now)) await settle()
      await settle()
    },
  }
}
