import type { Clock } from '../clock.ts'
import type { DispatcherLike } from '../options/pool-options.ts'
import { refuse } from '../options/refuse.ts'
import { Received, type Attempt, type Dispatched } from './attempt.ts'
import { clientClosed, clientDestroyed } from './faults.ts'
import { status, type Script } from './scripts.ts'
import { Wire, type Handler } from './wire.ts'

/**
 * An upstream played by a test. It is well, a 200 without a body for everything, until it is told otherwise. Made by
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

  /** Every attempt made on it so far, in order, those refused included. */
  get attempts(): readonly Attempt[] {
    return this.#attempts
  }

  /** How many attempts are open now. */
  get inFlight(): number {
    return this.#attempts.filter(({ outcome }) => outcome === 'open').length
  }

  /**
   * What it does with the next attempts, one script for each, in order; more of them queue up behind.
   * @throws OptionError for what is no script.
   * @example
   * payments.next(status(502), reset(), hang()).always(json({ total: 7 }))
   */
  next(...scripts: Script[]): this {
    scripts.forEach(checkScript)
    this.#next.push(...scripts)
    return this
  }

  /** What it does from now on with every attempt for which nothing else is said. @throws OptionError for what is no script. */
  always(script: Script): this {
    checkScript(script)
    this.#always = script
    return this
  }

  /** A dispatcher that ends here. @internal */
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
      const script = refusal === undefined ? this.#taken(attempt) : failing(refusal())
      open.set(wire, attempt)
      // Never before `dispatch` has returned: on a socket nothing happens that soon.
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

  #taken(attempt: Received): Script {
    this.#attempts.push(attempt)
    return this.#next.shift() ?? this.#always
  }
}

const checkScript = (script: unknown): void => {
  if (typeof script !== 'function') refuse('script', script, 'a function, such as the one that status(502) returns')
}

const failing = (error: Error): Script => async (_, wire) => { await wire.fail(error) }
