import { deepEqual } from 'node:assert/strict'
import { performance } from 'node:perf_hooks'

// Taken at load, so that a test which mocks the globals cannot stop the watch.
const { setImmediate, setTimeout } = globalThis

/** How long a check may wait, and what to say when it was in vain. */
export interface Patience {
  /** Milliseconds of real time. @default 2000 */
  within?: number
  /** What was waited for, as a clause: "the socket is closed". */
  what?: string
}

/** What `eventually` throws when its time is up. */
export class NeverHappened extends Error {
  override readonly name = 'NeverHappened'
}

const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const nap = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

/**
 * Lets promise jobs, ticks and immediates run until they have come to rest, without real time.
 * Two turns of the event loop, because an immediate may itself set one.
 */
export const settle = async (turns = 2): Promise<void> => {
  for (let i = 0; i < turns; i++) await turn()
}

/**
 * Waits until `condition` gives something truthy and resolves with it: the only place where a test waits in real time.
 * Looks at every turn of the event loop at first, then every few milliseconds. A condition that throws is not true yet.
 */
export const eventually = async <T>(condition: () => T | Promise<T>, patience: Patience = {}): Promise<T> => {
  const { within = 2_000, what = condition.toString() } = patience
  const started = performance.now()
  let last: unknown
  for (let look = 0; ; look++) {
    try {
      const value = await condition()
      if (value) return value
      last = undefined
    } catch (error) {
      last = error
    }
    if (performance.now() - started >= within) {
      throw new NeverHappened(`not within ${within} ms: ${what}`, { cause: last })
    }
    await (look < 20 ? turn() : nap(Math.min(look - 19, 10)))
  }
}

/** Settles as `promise` does, or rejects when that takes longer than it may. */
export const inTime = async <T>(promise: Promise<T>, { within = 2_000, what = 'it settles' }: Patience = {}): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NeverHappened(`not within ${within} ms: ${what}`)), within)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What keeps the process alive now, counted by kind (`TCPSocketWrap`, `Timeout`, ...). */
export const handles = (): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** Remembers what was alive when the watch began. */
export interface Leaks {
  /** What is alive now that was not before, counted by kind. */
  found(): Record<string, number>
  /** Waits for the last handles to close, and fails with their names if they do not. */
  assertNone(patience?: Patience): Promise<void>
}

/** Begins a watch for handles (sockets, timers, processes) that outlive what made them. */
export const leaks = (): Leaks => {
  const before = handles()
  const found = (): Record<string, number> => Object.fromEntries(Object.entries(handles())
    .map(([kind, count]): [string, number] => [kind, count - (before[kind] ?? 0)])
    .filter(([, count]) => count > 0))
  return {
    found,
    async assertNone(patience = {}): Promise<void> {
      await eventually(() => Object.keys(found()).length === 0, patience).catch(() => undefined)
      deepEqual(found(), {}, 'handles are left open')
    },
  }
}

/**
 * Closes `resource` when the test ends, and gives it back: `const server = await closing(t, startServer())`.
 * It stands in for `await using`, which Node 22 cannot parse.
 */
export const closing = async <T extends AsyncDisposable>(
  t: { after(run: () => Promise<void>): void },
  resource: T | Promise<T>,
): Promise<T> => {
  const made = await resource
  t.after(async () => { await made[Symbol.asyncDispose]() })
  return made
}
