import type { Clock, Timer } from '../clock.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import { requestAborted } from './faults.ts'

/** What undici 8 gives a handler to hold the request by. */
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

/** A handler of undici 8, as far as a scripted upstream speaks to it. */
export interface Handler {
  onRequestStart?(controller: Controller, context: object): void
  onResponseStart?(controller: Controller, status: number, headers: ReplyHeaders, statusText: string): void
  onResponseData?(controller: Controller, chunk: Buffer): void
  onResponseEnd?(controller: Controller, trailers: ReplyHeaders): void
  onResponseError?(controller: Controller, error: unknown): void
}

/** How an attempt on a scripted upstream went so far. */
export type Outcome = 'open' | 'replied' | 'failed' | 'aborted'

/** What a wire needs to know of the attempt it carries. */
interface Carried {
  /** Reads the request's body; rejects with what that fails with. */
  read(): Promise<void>
  /** Hears how it ended. */
  ended(outcome: Outcome): void
}

/** What never happens. One for each wait, so that nothing piles up on a promise they share. */
const never = (): Promise<never> => new Promise(() => {})

/**
 * The upstream's side of one attempt: what a script plays on. Every step waits while the client has paused the reply;
 * once the attempt is over, aborted by the client for one, steps never end, and the script stops where it stands.
 */
export class Wire {
  readonly #handler: Handler
  readonly #clock: Clock
  readonly #carried: Carried
  readonly #timers = new Set<Timer>()
  readonly #controller: Controller
  #accepted: Promise<void> | undefined
  #over = false
  #paused = false
  #resumed: (() => void) | undefined

  /** @internal */
  constructor(handler: Handler, clock: Clock, carried: Carried) {
    this.#handler = handler
    this.#clock = clock
    this.#carried = carried
    this.#controller = this.#control()
  }

  /** Takes the connection and reads the whole request. Only the first time it is asked. */
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

  /** Sends the status and the header fields; names are sent in lower case. A status below 200 is an interim reply. */
  async head(status: number, headers: ReplyHeaders = {}): Promise<void> {
    await this.accept()
    await this.#clear()
    const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
    this.#controller.rawHeaders = fields.flatMap(([name, value]) =>
      [value].flat().flatMap(item => [Buffer.from(name), Buffer.from(item ?? '', 'latin1')]))
    this.#tell(() => this.#handler.onResponseStart?.(this.#controller, status, Object.fromEntries(fields), ''))
  }

  /** Sends a piece of the body. */
  async write(chunk: string | Uint8Array): Promise<void> {
    await this.#clear()
    this.#tell(() => this.#handler.onResponseData?.(this.#controller, Buffer.from(chunk as Uint8Array)))
  }

  /** Ends the reply. */
  async end(): Promise<void> {
    await this.#clear()
    this.#finish('replied', () => this.#handler.onResponseEnd?.(this.#controller, {}))
  }

  /** Breaks it: with the error that Node or undici would give. Before `accept()`, that is a connection never made. */
  async fail(error: Error): Promise<void> {
    // As on a socket, a break is seen while the reader pauses, too.
    await this.#unlessOver()
    this.#finish('failed', () => this.#handler.onResponseError?.(this.#controller, error))
  }

  async #accept(): Promise<void> {
    await this.#unlessOver()
    this.#tell(() => this.#handler.onRequestStart?.(this.#controller, {}))
    await this.#unlessOver()
    await this.#carried.read().catch((error: unknown) => { this.#abort(error) })
    await this.#unlessOver()
  }

  /** Waits until the client takes more. */
  async #clear(): Promise<void> {
    while (this.#paused) await new Promise<void>(resolve => { this.#resumed = resolve })
    await this.#unlessOver()
  }

  #unlessOver(): Promise<void> {
    return this.#over ? never() : Promise.resolve()
  }

  /** What a handler throws ends its request, as undici has it. */
  #tell(step: () => void): void {
    // It may have ended between the last look and now.
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
    this.#carried.ended(outcome)
    last()
  }

  #control(): Controller {
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
