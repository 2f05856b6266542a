import { ok } from 'node:assert/strict'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { settle } from './check.ts'

/** How far beyond its nominal time something may end, in ms. */
const EXACT = 20

/** How long something took, and how long this process itself stood still at worst meanwhile, in ms. */
export interface Took {
  readonly ms: number
  readonly stood: number
}

/** Times `run` until it settles, well or not. */
export const timed = async (run: () => Promise<unknown>): Promise<Took> => {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const started = performance.now()
  await run().catch(() => undefined)
  const ms = performance.now() - started
  // It notes a delay when that is over: at the loop's next turn.
  await settle(4)
  delays.disable()
  // A loop at rest is seen to turn every ms or two.
  return { ms, stood: Math.max(0, delays.max / 1e6 - 2) }
}

/** Fails unless it took at least `ms`, and at most 20 ms more; what this process itself stood still is excused. */
export const assertExact = ({ ms: took, stood }: Took, ms: number, what = 'it'): void => {
  ok(took >= ms, `${what} took ${took} ms: less than ${ms}`)
  ok(took <= ms + EXACT + stood, `${what} took ${took} ms: more than ${ms} and ${EXACT}; the process stood still for ${stood}`)
}
