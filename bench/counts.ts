import { createHook } from 'node:async_hooks'

/** What was made while something ran: counts, which are the same on every machine. */
export interface Counts {
  /** Timers and intervals armed, whoever armed them. */
  timers: number
  /** AbortControllers and AbortSignals made. */
  controllers: number
  signals: number
  /** Listeners added to event targets (signals among them), and taken off again. */
  listenersAdded: number
  listenersRemoved: number
  /** Promises made. */
  promises: number
}

type Restore = () => void

/** Puts a counting function in the place of a method. */
function wrapped<Key extends string>(owner: Record<Key, (...args: never[]) => unknown>, key: Key, count: () => void): Restore {
  const original = owner[key]
  owner[key] = function(this: unknown, ...args: never[]): unknown {
    count()
    return original.apply(this, args)
  }
  return () => { owner[key] = original }
}

/** Counts the making of AbortControllers and AbortSignals. */
function watchSignals(counts: Counts): Restore[] {
  const { AbortController: Original } = globalThis
  globalThis.AbortController = class extends Original {
    constructor() {
      super()
      counts.controllers++
    }
  }
  const signals = AbortSignal as unknown as Record<'any' | 'timeout' | 'abort', () => unknown>
  const signal = (): void => { counts.signals++ }
  return [
    () => { globalThis.AbortController = Original },
    wrapped(signals, 'any', signal), wrapped(signals, 'timeout', signal), wrapped(signals, 'abort', signal),
  ]
}

/**
 * Counts what is made in this process while `run` runs, Node's own and other packages' doings included. It slows all of
 * it down, so time must not be taken meanwhile.
 */
export async function countsOf(run: () => Promise<unknown>): Promise<Counts> {
  const counts: Counts = { timers: 0, controllers: 0, signals: 0, listenersAdded: 0, listenersRemoved: 0, promises: 0 }
  const hook = createHook({
    init(_id, type) {
      if (type === 'Timeout') counts.timers++
      else if (type === 'PROMISE') counts.promises++
    },
  })
  const target = EventTarget.prototype as unknown as Record<'addEventListener' | 'removeEventListener', () => unknown>
  const restores = [
    ...watchSignals(counts),
    wrapped(target, 'addEventListener', () => { counts.listenersAdded++ }),
    wrapped(target, 'removeEventListener', () => { counts.listenersRemoved++ }),
  ]
  hook.enable()
  try {
    await run()
  } finally {
    hook.disable()
    for (const restore of restores) restore()
  }
  return counts
}
