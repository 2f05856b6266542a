import type { Clock, Timer } from '../clock.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import { requestAborted } from './faults.ts'

/** The controller that undici 8 passes to a handler. */
export interface Controller {
  readonly aborted: boolean
  readonly paused: boolean
  readonly reason: Error | null
  rawHeaders: Buffer[] | null
  rawTrailers: Buffer[] | null
  abort(reason?: Error): void
  pause(): void
  resume(): void
}

/** The part of undici 8's handler that a scripted upstream uses. */
export interface Handler {
  onRequestStart?(controller: Controller, context: object): void
  onResponseStart?(controller: Controller, status: number, headers: ReplyHeaders, statusText: string): void
  onResponseData?(controller: Controller, chunk: Buffer): void
  onResponseEnd?(controller: Controller, trailers: ReplyHeaders): void
  onResponseError?(controller: Controller, error: unknown): void
}

/** The outcome of an attempt on a scripted upstream so far. */
export type Outcome = 'open' | 'replied' | 'failed' | 'aborted'

/** The attempt that a wire carries. */
interface CarriedAttempt {
  /** Reads the request's body; rejects if that fails. */
  read(): Promise<void>
  /** Runs when the attempt has ended. */
  ended(outcome: Outcome): void
}

/** A promise that never settles. A new one for each wait, as reactions would accumulate on a shared one. */
const never = (): Promise<never> => new Promise(() => {})

/**
 * The upstream's side of one attempt, for a script to control. Every step waits while the client has paused the reply. Once the
 * attempt is over, for example because the client aborted it, steps never settle, so the script stops where it is.
 */
export class Wire {
  readonly #handler: Handler
  readonly #clock: Clock
  readonly #attempt: CarriedAttempt
  readonly #timers = new Set<Timer>()
  readonly #controller: Controller
  #accepted: Promise<void> | undefined
  #over = false
  #paused = false
  #resumed: (() => void) | undefined

  /** @internal */
  constructor(handler: Handler, clock: Clock, attempt: CarriedAttempt) {
    this.#handler = handler
    this.#clock = clock
    this.#attempt = attempt
    this.#controller = this.#createController()
  }

  /** Accepts the connection and reads the whole request; later calls have no further effect. */
  accept(): Promise<void> {
    this.#accepted ??= this.#accept()
    return this.#accepted
  }

  /** Waits `ms` on the manual clock. */
  async wait(ms: number): Promise<void> {
    await this.#unlessOver()
    await new Promise<void>(resolve => {
      const timer = this.#clock.after(ms, () => {
        this.#timers.delete(timer)
        resolve()
      })
      this.#timers.add(timer)
    })
  }

  /** Sends the status and the header fields, with names in lower case. A status below 200 is an interim reply. */
  async head(status: number, headers: ReplyHeaders = {}): Promise<void> {
    await this.accept()
    await this.#unpaused()
    const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
    this.#controller.rawHeaders = fields.flatMap(([name, value]) =>
      [value].flat().flatMap(item => [Buffer.from(name), Buffer.from(item ?? '', 'latin1')]))
    this.#notify(() => this.#handler.onResponseStart?.(this.#controller, status, Object.fromEntries(fields), ''))
  }

  /** Sends a chunk of the body. */
  async write(chunk: string | Uint8Array): Promise<void> {
    await this.#unpaused()
    this.#notify(() => this.#handler.onResponseData?.(this.#controller, Buffer.from(chunk as Uint8Array)))
  }

  /** Ends the reply. */
  async end(): Promise<void> {
    await this.#unpaused()
    this.#finish('replied', () => this.#handler.onResponseEnd?.(this.#controller, {}))
  }

  /** Fails the attempt with an error of Node or undici. Before `accept()`, that is a connection that was never made. */
  async fail(error: Error): Promise<void> {
    // As on a socket, a failure is noticed even while the reader pauses.
    await this.#unlessOver()
    this.#finish('failed', () => this.#handler.onResponseError?.(this.#controller, error))
  }

  async #accept(): Promise<void> {
    await this.#unlessOver()
    this.#notify(() => this.#handler.onRequestStart?.(this.#controller, {}))
    await this.#unlessOver()
    await this.#attempt.read().catch((error: unknown) => { this.#abort(error) })
    await this.#unlessOver()
  }

  /** Waits until the client has not paused the reply. */
  async #unpaused(): Promise<void> {
    while (this.#paused) await new Promise<void>(resolve => { this.#resumed = resolve })
    await this.#unlessOver()
  }

  #unlessOver(): Promise<void> {
    return this.#over ? never() : Promise.resolve()
  }

  /** Calls the handler. An error that it throws ends the request, as in undici. */
  #notify(step: () => void): void {
    // It may have ended since the last check.
    if (this.#over) return
    try {
      step()
    } catch (error) {
      this.#abort(error)
    }
  }

  #abort(reason: unknown): void {
    this.#finish('aborted', () => this.#handler.onResponseError?.(this.#controller, reason))
  }

  #finish(outcome: Outcome, last: () => void): void {
    if (this.#over) return
    this.#over = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#attempt.ended(outcome)
    last()
  }

  #createController(): Controller {
    let reason: Error | null = null
    const isPaused = (): boolean => this.#paused
    const pause = (paused: boolean): void => {
      this.#paused = paused
      if (!paused) this.#resumed?.()
    }
    return {
      get aborted(): boolean { return reason !== null },
      get paused(): boolean { return isPaused() },
      get reason(): Error | null { return reason },
      rawHeaders: null,
      rawTrailers: null,
      abort: (why = requestAborted()) => {
        reason ??= why
        this.#abort(why)
      },
      pause: () => { pause(true) },
      resume: () => { pause(false) },
    }
  }
}
