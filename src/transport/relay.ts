import { IncomingMessage } from 'node:http'
import { Readable, type Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call, Relay } from '../call/call.ts'
import type { StreamBody } from '../http/body.ts'
import { isStream, oneShotBody, rereadable, type DispatchOptions } from './dispatch-options.ts'
import { errors } from './undici.ts'

/** A response that the caller gets, or may still get. */
export interface RelayedResponse {
  pause(): void
  resume(): void
  /** Drops the rest of the response. */
  abandon(): void
}

/** A request that a dispatcher has in flight. */
export interface ActiveRequest {
  /** Ends it now, with an error for its caller. */
  destroy(error: Error): void
}

type Controller = Dispatcher.DispatchController
/** Alternating names and values, as received. */
type Raw = NonNullable<Controller['rawHeaders']> | null
type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** The controller the caller gets: the same for all attempts, and usable before the first one. */
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
    this.#relay.abort(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    this.paused = true
    this.#relay.response?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#relay.response?.resume()
  }
}

/** How long a caller is waited for, in ms. */
export interface CallerTimeouts {
  readonly uploadTimeout: number
  readonly readTimeout: number
}

/**
 * The caller's side of a relayed call: its handler, which sees one response and no attempt that was retried. An error that the
 * handler throws ends the call, as with undici's own dispatchers.
 */
export class RelayedRequest implements ActiveRequest, Relay {
  readonly options: DispatchOptions
  /** Its header fields, which can be read for each attempt. */
  readonly headers: DispatchOptions['headers']
  readonly controller: RelayController = new RelayController(this)
  /** The response that is being passed on. */
  response: RelayedResponse | undefined = undefined
  /** The body, if it can be sent only once. */
  readonly body: StreamBody | undefined
  #call: Call | undefined
  /** The last response that may be retried: the caller gets it if no further attempt is made. */
  #heldBack: RelayedResponse | undefined
  #isOver = false
  readonly #handler: Dispatcher.DispatchHandler
  readonly uploadTimeout: number
  /** The longest time for which the caller may read nothing of the response, in ms. */
  readonly readTimeout: number
  readonly #onOver: () => void

  /** @param onOver - runs when the request is over, before the caller's handler. */
  constructor(
    options: DispatchOptions, handler: Dispatcher.DispatchHandler, onOver: (request: RelayedRequest) => void,
    { uploadTimeout, readTimeout }: CallerTimeouts,
  ) {
    this.uploadTimeout = uploadTimeout
    this.readTimeout = readTimeout
    this.options = options
    this.headers = rereadable(options.headers)
    this.body = oneShotBody(options)
    this.#handler = handler
    this.#onOver = () => { onOver(this) }
  }

  /** Starts the request. From now on it can be aborted, even while it waits. @returns false if the caller aborted it at once. */
  begin(call: Call): boolean {
    this.#call = call
    // undici only listens once it sends the request; a stream may fail before.
    if (isStream(this.body)) this.body.on('error', this.abort)
    this.#notify(() => this.#handler.onRequestStart?.(this.controller, null))
    return !this.#isOver
  }

  /** Ends the request for a reason of the caller's own. */
  readonly abort = (reason: unknown): void => {
    if (this.#isOver) return
    this.#call?.cancel(reason)
    this.fail(reason)
  }

  destroy(error: Error): void {
    this.abort(error)
  }

  /**
   * Destroys a body that is being sent with the error its request fails with, so that a pipeline into it fails with it: undici's
   * own handlers do so, but only after undici has closed the body without an error. The body of a server's request is left to
   * undici, as an error would destroy the connection on which its client awaits an answer.
   */
  giveUpBody(error: unknown): void {
    const { body } = this
    if (!(body instanceof Readable) || body instanceof IncomingMessage || body.destroyed) return
    body.off('error', this.abort).on('error', () => {}).destroy(error instanceof Error ? error : undefined)
  }

  /** Holds a response back, in case no further attempt is made. */
  holdBack(response: RelayedResponse): void {
    this.#heldBack = response
  }

  /** Drops the response that was held back, as another attempt is made. */
  dropHeldBack(): void {
    this.#heldBack?.abandon()
    this.#heldBack = undefined
  }

  start(status: number, headers: ResponseHeaders, text: string | undefined, raw: Raw | undefined): void {
    this.controller.rawHeaders = raw ?? null
    this.#notify(() => this.#handler.onResponseStart?.(this.controller, status, headers, text))
  }

  data(chunk: Buffer): void {
    this.#notify(() => this.#handler.onResponseData?.(this.controller, chunk))
  }

  end(trailers: ResponseHeaders, raw: Raw | undefined): void {
    if (this.#isOver) return
    this.controller.rawTrailers = raw ?? null
    this.#finish()
    try {
      this.#handler.onResponseEnd?.(this.controller, trailers)
    } catch (error) {
      this.#handler.onResponseError?.(this.controller, error as Error)
    }
  }

  upgrade(status: number, headers: ResponseHeaders, socket: Duplex, raw: Raw | undefined): void {
    this.controller.rawHeaders = raw ?? null
    try {
      this.#handler.onRequestUpgrade?.(this.controller, status, headers, socket)
    } catch (error) {
      this.fail(error)
      throw error
    }
    this.#finish()
  }

  /** Reports an error to the caller, unless the request is over. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#finish()
    this.response?.abandon()
    this.dropHeldBack()
    this.#handler.onResponseError?.(this.controller, error as Error)
  }

  bodySent(chunk: Buffer): void {
    this.#notify(() => this.#handler.onBodySent?.(chunk))
  }

  requestSent(): void {
    this.#notify(() => this.#handler.onRequestSent?.())
  }

  responseStarted(): void {
    this.#notify(() => this.#handler.onResponseStarted?.())
  }

  #notify(run: () => void): void {
    if (this.#isOver) return
    try {
      run()
    } catch (error) {
      this.abort(error)
    }
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (isStream(this.body)) this.body.off('error', this.abort)
    this.#onOver()
  }
}
