import type { Clock, Timer } from '../clock.ts'

// Taken at load, so that a test which mocks the globals cannot stop it.
const { setImmediate } = globalThis

/** Turns of the event loop in which promise jobs, ticks and immediates come to rest: an immediate may itself set one. */
const TURNS = 2

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>(resolve => { setImmediate(resolve) })
}

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves time on by `ms`, firing what falls due in order; promise jobs settle before, between and after the timers.
   * @throws RangeError for a time that is negative or not finite, or when timers arm each other without end.
   */
  advance(ms: number): Promise<void>
  /** Moves time on and fires what falls due, in one go: no promise job runs until it returns. @throws RangeError */
  tick(ms: number): void
  /** Blocks the event loop, as it were: time jumps, then whatever fell due meanwhile fires late. @throws RangeError */
  stall(ms: number): Promise<void>
  /** How many ms until the next timer falls due; Infinity if none is armed. */
  readonly nextIn: number
  /** Timers armed and neither fired nor cancelled, background ones excepted. */
  readonly pending: number
  /** Background timers armed. */
  readonly background: number
}

interface Armed {
  readonly due: number
  readonly background: boolean
  readonly run: (late: number) => void
}

/** More timers than this in one move of the clock is a loop that never ends. */
const MAX_FIRED = 100_000

/** Where a timer due at `due` belongs: behind all that are due no later, so that equals keep their order. */
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
 * Makes a clock for `createClient({ env })` that a test moves by hand. Timers due at the same instant fire in the order
 * they were armed.
 *
 * @param start - what `now()` says at first, in ms.
 * @example
 * const clock = manualClock()
 * clock.after(50, () => console.log('fifty ms later, without waiting'))
 * await clock.advance(50)
 */
export const manualClock = (start = 1_000_000): ManualClock => {
  const queue: Armed[] = []
  let now = start
  let stalledAt = -Infinity

  /** Fires what is due by `until`, one timer a step; a generator, so that the caller says what happens between. */
  function* fire(until: number): Generator<void, void> {
    for (let fired = 0; queue[0] !== undefined && queue[0].due <= until; fired++) {
      if (fired === MAX_FIRED) throw new RangeError(`manual clock: ${MAX_FIRED} timers fired by ${until} and still more fall due`)
      const next = queue.shift() as Armed
      now = Math.max(now, next.due)
      next.run(now - next.due)
      yield
    }
    now = Math.max(now, until)
  }

  const target = (ms: number): number => {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`manual clock: cannot move by ${ms} ms`)
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
      if (Number.isNaN(ms)) throw new RangeError('manual clock: a timer of NaN ms')
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
