import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call, Relay } from '../call/call.ts'
import type { StreamBody } from '../http/body.ts'
import { oneShot, readable, type DispatchOptions } from './dispatch-options.ts'
import { errors } from './undici.ts'

/** An exchange whose response the caller gets, or may yet get. */
export interface OnWire {
  pause(): void
  resume(): void
  /** Nothing of it is wanted any more. */
  letGo(): void
}

/** Something a dispatcher has under way. */
export interface UnderWay {
  /** Ends it now, with an error for its caller. */
  destroy(error: Error): void
}

type Controller = Dispatcher.DispatchController
/** Names and values as they came, in turn. */
type Raw = NonNullable<Controller['rawHeaders']> | null
type Fields = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** What the caller holds on to, whichever attempt is on the wire; it works before there is one, too. */
class RelayController implements Controller {
  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Raw = null
  rawTrailers: Raw = null
  readonly #relay: RelayedRequest

  constructor(relay: RelayedRequest) {
    this.#relay = relay
  }

  abort(reason?: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason ?? null
    this.#relay.giveUp(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    this.paused = true
    this.#relay.wire?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#relay.wire?.resume()
  }
}

/**
 * The caller's side of a relayed call: its handler, which hears of one response and never of an attempt that came to nothing.
 * What the handler throws ends the call with that error, as with undici's own dispatchers.
 */
export class RelayedRequest implements UnderWay, Relay {
  readonly options: DispatchOptions
  /** Its header fields, as often as they are needed. */
  readonly headers: DispatchOptions['headers']
  readonly controller: RelayController = new RelayController(this)
  /** The exchange whose response is being handed on. */
  wire: OnWire | undefined = undefined
  /** The body, if it is gone once sent. */
  readonly body: StreamBody | undefined
  #call: Call | undefined
  /** The last response that was to be retried, until another attempt is made. */
  #spare: OnWire | undefined
  #isOver = false
  readonly #handler: Dispatcher.DispatchHandler
  readonly #gone: () => void
  readonly callerTimeout: number

  /** @param gone - runs when it is over, before the caller is told. */
  constructor(
    asked: DispatchOptions, handler: Dispatcher.DispatchHandler, gone: (relay: RelayedRequest) => void, callerTimeout: number,
  ) {
    this.callerTimeout = callerTimeout
    this.options = asked
    this.headers = readable(asked.headers)
    this.body = oneShot(asked)
    this.#handler = handler
    this.#gone = () => { gone(this) }
  }

  /** Begins, and says whether the caller has not ended it right away. It may be ended from now on, while it waits too. */
  begin(call: Call): boolean {
    this.#call = call
    // Undici only listens once the request has its turn; a stream may fail before.
    if (isStream(this.body)) this.body.on('error', this.giveUp)
    this.#tell(() => this.#handler.onRequestStart?.(this.controller, null))
    return !this.#isOver
  }

  /** Ends it, for a reason that is the caller's own. */
  readonly giveUp = (reason: unknown): void => {
    if (this.#isOver) return
    this.#call?.cancel(reason)
    this.fail(reason)
  }

  destroy(error: Error): void {
    this.giveUp(error)
  }

  /** Keeps a response in case nothing better follows. */
  keep(exchange: OnWire): void {
    this.#spare = exchange
  }

  /** Lets go of it, as another attempt is made. */
  dropSpare(): void {
    this.#spare?.letGo()
    this.#spare = undefined
  }

  start(status: number, headers: Fields, text: string | undefined, raw: Raw | undefined): void {
    this.controller.rawHeaders = raw ?? null
    this.#tell(() => this.#handler.onResponseStart?.(this.controller, status, headers, text))
  }

  data(chunk: Buffer): void {
    this.#tell(() => this.#handler.onResponseData?.(this.controller, chunk))
  }

  end(trailers: Fields, raw: Raw | undefined): void {
    if (this.#isOver) return
    this.controller.rawTrailers = raw ?? null
    this.#finish()
    try {
      this.#handler.onResponseEnd?.(this.controller, trailers)
    } catch (error) {
      this.#handler.onResponseError?.(this.controller, error as Error)
    }
  }

  upgrade(status: number, headers: Fields, socket: Duplex, raw: Raw | undefined): void {
    this.controller.rawHeaders = raw ?? null
    try {
      this.#handler.onRequestUpgrade?.(this.controller, status, headers, socket)
    } catch (error) {
      this.fail(error)
      throw error
    }
    this.#finish()
  }

  /** Tells the caller of an error, if nothing has ended it before. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#finish()
    this.wire?.letGo()
    this.dropSpare()
    this.#handler.onResponseError?.(this.controller, error as Error)
  }

  bodySent(chunk: Buffer): void {
    this.#tell(() => this.#handler.onBodySent?.(chunk))
  }

  requestSent(): void {
    this.#tell(() => this.#handler.onRequestSent?.())
  }

  responseStarted(): void {
    this.#tell(() => this.#handler.onResponseStarted?.())
  }

  #tell(run: () => void): void {
    if (this.#isOver) return
    try {
      run()
    } catch (error) {
      this.giveUp(error)
    }
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (isStream(this.body)) this.body.off('error', this.giveUp)
    this.#gone()
  }
}

/** Any stream that undici takes for one. */
export const isStream = (body: unknown): body is NodeJS.ReadableStream =>
  typeof body === 'object' && body !== null && 'pipe' in body && typeof (body as NodeJS.ReadableStream).on === 'function'
