import type { Priority } from '../../src/options/upstream-options.ts'
import { Permits, type Gate } from '../../src/upstream/limit/permits.ts'
import type { Waiter } from '../../src/upstream/limit/queue.ts'

/** A gate that admits every call. */
export const OPEN: Gate = { admits: () => true, isOpening: () => false }

/** Permits for calls that every endpoint admits. */
export const permitsOf = (max: number): Permits => new Permits(max, OPEN)

/** What a test may say about a waiting call; by default a normal one that waits from time 0. */
export interface Waiting {
  readonly displaced?: () => void
  readonly now?: number
  readonly priority?: Priority
}

/** Joins the queue for a permit. */
export const join = (permits: Permits, granted: () => void, waiting: Waiting = {}): Waiter => {
  const { displaced = () => {}, now = 0, priority = 'normal' } = waiting
  return permits.wait(granted, displaced, now, priority)
}
