/** The numbers that are handed out in this process. */
export interface Counters {
  /** Calls that have a number. */
  calls: number
  /** Clients without a name of their own. */
  unnamed: number
}

const KEY = Symbol.for('breakwater.counters')

const shared = globalThis as unknown as Record<symbol, Counters | undefined>

/**
 * Shared by all copies of the package in this process, such as two versions in one tree: they publish on the same channels, where
 * the name of a client and the number of a call must not occur twice.
 */
export const counters: Counters = (shared[KEY] ??= { calls: 0, unnamed: 0 })
