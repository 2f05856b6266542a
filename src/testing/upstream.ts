import type { Clock } from '../clock.ts'
import type { DispatcherLike } from '../options/pool-options.ts'
import { refuse } from '../options/refuse.ts'
import { Received, type Attempt, type Dispatched } from './attempt.ts'
import { clientClosed, clientDestroyed } from './faults.ts'
import { status, type Script } from './scripts.ts'
import { Wire, type Handler } from './wire.ts'

/**
 * A simulated upstream whose behaviour a test scripts. It is healthy by default: it replies 200 without a body. Created by
 * `world.upstream()`.
 */
export class ScriptedUpstream {
  /** Its origin. */
  readonly origin: string
  readonly #clock: Clock
  readonly #attempts: Received[] = []
  readonly #next: Script[] = []
  #always: Script

  /** @internal */
  constructor(origin: string, clock: Clock, always: Script = status(200)) {
    this.origin = origin
    this.#clock = clock
    this.#always = always
  }

  /** All attempts made to it so far, in order, including refused ones. */
  get attempts(): readonly Attempt[] {
    return this.#attempts
  }

  /** Number of attempts that are open. */
  get inFlight(): number {
    return this.#attempts.filter(({ outcome }) => outcome === 'open').length
  }

  /**
   * Sets what it does with the next attempts, one script for each, in order; further calls add to the queue.
   * @throws OptionError if a script is not a function.
   * @example
   * payments.next(status(502), reset(), hang()).always(json({ total: 7 }))
   */
  next(...scripts: Script[]): this {
    scripts.forEach(checkScript)
    this.#next.push(...scripts)
    return this
  }

  /** Sets what it does from now on, whenever `next()` has no script left. @throws OptionError if the script is not a function. */
  always(script: Script): this {
    checkScript(script)
    this.#always = script
    return this
  }

  /** A dispatcher whose requests reach this upstream. @internal */
  dispatcher(): DispatcherLike {
    const open = new Map<Wire, Received>()
    let refusal: (() => Error) | undefined
    let idle: (() => void) | undefined

    const dispatch = (options: Dispatched, handler: Handler): boolean => {
      const attempt = new Received(this.origin, options, this.#clock.now())
      const wire: Wire = new Wire(handler, this.#clock, {
        read: () => attempt.read(),
        ended: outcome => {
          attempt.ended(outcome, this.#clock.now())
          open.delete(wire)
          if (open.size === 0) idle?.()
        },
      })
      const script = refusal === undefined ? this.#received(attempt) : failing(refusal())
      open.set(wire, attempt)
      // After `dispatch` has returned, as on a socket.
      queueMicrotask(() => { void script(attempt, wire) })
      return true
    }
    return {
      dispatch,
      async close() {
        refusal ??= clientClosed
        if (open.size > 0) await new Promise<void>(resolve => { idle = resolve })
      },
      async destroy() {
        refusal = clientDestroyed
        for (const wire of open.keys()) void wire.fail(clientDestroyed())
        if (open.size > 0) await new Promise<void>(resolve => { idle = resolve })
      },
    }
  }

  #received(attempt: Received): Script {
    this.#attempts.push(attempt)
    return this.#next.shift() ?? this.#always
  }
}

const checkScript = (script: unknown): void => {
  if (typeof script !== 'function') refuse('script', script, 'a function, such as the one that status(502) returns')
}

const failing = (error: Error): Script => async (_, wire) => { await wire.fail(error) }
