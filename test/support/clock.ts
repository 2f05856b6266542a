import type { Clock, Env, Random, Timer } from '../../src/clock.ts'
import { settle } from './check.ts'

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves time on, firing what falls due in order; promise jobs settle before, between and after the timers. */
  advance(ms: number): Promise<void>
  /** Moves time on and fires what falls due, in one go: no promise job runs until it returns. */
  tick(ms: number): void
  /** Blocks the event loop, as it were: time jumps, then whatever fell due meanwhile fires late. */
  stall(ms: number): Promise<void>
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
const MOST = 100_000

/** Where a timer due at `due` belongs: behind all that are due no later, so that equals keep their order. */
const placeOf = (due: number, queue: readonly Armed[]): number => {
  let [low, high] = [0, queue.length]
  while (low < high) {
    const middle = low + high >>> 1
    if (queue[middle]!.due <= due) low = middle + 1
    else high = middle
  }
  return low
}

/** Makes a test clock; timers due at the same instant fire in the order they were armed. */
export const createTestClock = (start = 1_000_000): TestClock => {
  const queue: Armed[] = []
  let now = start
  let stalledAt = -Infinity

  /** Fires what is due by `until`, one timer a step; a generator, so that the caller says what happens between. */
  function* fire(until: number): Generator<void, void> {
    for (let fired = 0; queue[0] !== undefined && queue[0].due <= until; fired++) {
      if (fired === MOST) throw new Error(`test clock: ${MOST} timers fired by ${until} and still more fall due`)
      const next = queue.shift()!
      now = Math.max(now, next.due)
      next.run(now - next.due)
      yield
    }
    now = Math.max(now, until)
  }

  const target = (ms: number): number => {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`test clock: cannot move by ${ms} ms`)
    return now + ms
  }

  const count = (background: boolean): number => queue.filter(timer => timer.background === background).length

  return {
    now: () => now,
    get stalledAt(): number { return stalledAt },
    get pending(): number { return count(false) },
    get background(): number { return count(true) },

    after(ms: number, run: (late: number) => void, background = false): Timer {
      if (Number.isNaN(ms)) throw new RangeError('test clock: a timer of NaN ms')
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

/** Repeatable chance (mulberry32): the same seed gives the same numbers on every machine. */
export const seededRandom = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = state + 0x6D2B79F5 | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
  }
}

/** Chance that gives exactly these numbers, over and over. */
export const loadedDice = (...values: number[]): Random => {
  let thrown = 0
  return () => values[thrown++ % values.length] ?? 0
}

/** Time and chance for a layer under test. */
export const testEnv = (seed = 1): Env & { readonly clock: TestClock } => ({
  clock: createTestClock(),
  random: seededRandom(seed),
})
