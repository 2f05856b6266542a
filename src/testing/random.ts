import type { Random } from '../clock.ts'

/**
 * A seeded random generator: the same seed gives the same numbers on every machine. The algorithm is mulberry32 (Tommy Ettinger,
 * 2017, public domain): 32 bits of state, good enough for jitter and random choices, not for secrets.
 *
 * @param seed - a whole number; only its lowest 32 bits are used.
 * @example
 * const random = seededRandom(1)
 * random() // 0.6270739405881613, every time
 */
export const seededRandom = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = state + 0x6D2B79F5 | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
  }
}

/**
 * A random generator that returns exactly these numbers, over and over: `loadedDice(0)` removes all jitter.
 *
 * @param values - from 0 up to but not including 1; with none, it always returns 0.
 * @example
 * const client = createClient({ env: { clock: manualClock(), random: loadedDice(0, 0.5) } })
 */
export const loadedDice = (...values: number[]): Random => {
  let thrown = 0
  return () => values[thrown++ % values.length] ?? 0
}
