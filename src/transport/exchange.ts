import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import type { Call, Stoppable } from '../call/call.ts'
import { ConnectionError, ResponseError } from '../outcome/errors.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import { Completion } from '../call/completion.ts'
import { toUpstreamError } from './to-upstream-error.ts'

/** Interim (1xx) responses that may come before the real one. */
const INTERIM = 32

/** What an exchange needs of the pool it runs in. */
export interface Transport {
  /** Puts the request of an exchange on the wire. */
  dispatch(call: Call, exchange: Exchange): void
  /** Puts it there once more; on a connection of its own, if it was a stale one that failed. */
  replay(call: Call, exchange: Exchange, stale: boolean): Transport
  /** For the moment at which a part of a caller's body has been sent. */
  readonly clock: Clock
  /** Tells whether the connection that failed with this error had been open before `since`. */
  wasOpenBefore(error: unknown, since: number): boolean
  /** The error of a connection, while the exchange on it is being told. */
  readonly failing: Error | undefined
}

/**
 * One request and its response: undici's handler, and the promise of its reply. This much is common to all kinds; a
 * {@link BufferedExchange} collects the body, a streamed one hands it on, a relayed one hands on all there is.
 *
 * It holds the listener for the call's cancellation, so that ending a call needs no AbortSignal: `controller.abort()`
 * frees the connection. A request that met a stale connection (a kept-alive one that the other side had closed), or an
 * HTTP/2 stream refused unprocessed, is sent once more at once: that is nobody's failure.
 */
export abstract class Exchange extends Completion implements Dispatcher.DispatchHandler, Stoppable {
  protected controller: Dispatcher.DispatchController | undefined
  protected answered = false
  protected settled = false
  #transport: Transport
  #interim = 0
  /** A body that comes from the caller as it is sent, until all of it has gone. */
  #upload: unknown

  constructor(call: Call, transport: Transport) {
    super(call)
    this.#transport = transport
    call.phase = 'connect'
    call.waitFor(this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.settled) {
      // Cancelled while it waited for a connection: nothing of it must be sent.
      controller.abort(new Error('cancelled before it was sent'))
      return
    }
    this.call.phase = 'headers'
    this.call.wasOnWire = true
  }

  /** Watches a body that comes from the caller as it is sent: whose turn it is, and when all of it has gone. */
  watchUpload(body: unknown): void {
    this.#upload = body
  }

  override get isUploading(): boolean {
    return this.#upload !== undefined
  }

  override get waitsForCaller(): boolean {
    if (this.call.phase === 'caller') return true
    return this.call.phase === 'headers' && this.#upload instanceof Readable && isStarving(this.#upload)
  }

  onBodySent(_chunk: Buffer): void {
    if (this.#upload !== undefined) this.call.turnAt = this.#transport.clock.now()
  }

  onRequestSent(): void {
    if (this.#upload === undefined) return
    this.call.turnAt = this.#transport.clock.now()
    this.#upload = undefined
    this.call.onBodySent?.()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    if (status < 200) {
      if (++this.#interim > INTERIM) this.stop(new ResponseError(this.call.trace, 'too many interim responses', 'gateway'))
      return
    }
    this.answered = true
    this.call.phase = 'body'
    this.begin(controller, status, headers)
  }

  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  abstract onResponseEnd(controller: Dispatcher.DispatchController, trailers: ReplyHeaders): void
  protected abstract begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void
  /** Hears that it has failed, after everybody else. */
  protected abstract failed(error: unknown): void

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.settled) return
    const started = this.controller !== undefined
    const reused = started && !this.answered && this.#transport.wasOpenBefore(error, this.call.attemptAt)
    // What becomes of a connection in which the caller is waited for says nothing about the upstream.
    if (this.#upload instanceof Readable && isGivenUp(this.#upload)) {
      this.stop(this.#upload.errored ?? error)
      return
    }
    const failure = toUpstreamError(error, this.call, { started, answered: this.answered, reused, unread: this.isUnread })
    if (isReplayable(failure, this.call)) this.#replay(reused)
    else this.#fail(failure)
  }

  protected get clock(): Clock {
    return this.#transport.clock
  }

  /** Whether the reply's body has been begun and is not being read. */
  protected get isUnread(): boolean {
    return this.answered && this.call.phase === 'caller'
  }

  /** Ends it from our side, and the connection with it. */
  stop(reason: unknown): void {
    if (this.settled) return
    this.#fail(reason)
    this.controller?.abort(reason instanceof Error ? reason : new Error('cancelled'))
  }

  /** A body that ends where its connection does is whole only if that ended well (RFC 9112 §8); undici takes it for whole. */
  protected cutShort(): boolean {
    const { failing } = this.#transport
    if (failing !== undefined) this.onResponseError(undefined, failing)
    return failing !== undefined
  }

  protected settle(): void {
    this.settled = true
    this.call.waitFor(undefined)
  }

  #replay(stale: boolean): void {
    this.call.replayed = true
    this.call.trace.mark('sent again on a fresh connection', this.call.at)
    this.controller = undefined
    this.call.phase = 'connect'
    this.#transport = this.#transport.replay(this.call, this, stale)
  }

  #fail(error: unknown): void {
    this.settle()
    this.ended(error)
    this.failed(error)
  }

  protected tooLarge(): void {
    this.stop(new ResponseError(this.call.trace, `body longer than ${this.call.settings.maxBodySize} bytes`, 'healthy'))
  }
}

/** Whether undici has taken all that a stream has so far, and the stream has more to come. */
const isStarving = (body: Readable): boolean =>
  !body.readableEnded && body.readableLength === 0 && body.readableFlowing !== false

/** Whether a stream was destroyed before its end. */
const isGivenUp = (body: Readable): boolean => body.destroyed && !body.readableEnded

const isReplayable = (error: unknown, call: Call): boolean =>
  error instanceof ConnectionError && error.blame === 'nobody' && !call.replayed && call.replayable
  && (call.settings.idempotent || error.sent === 'never')
