import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import type { Call, Stoppable } from '../call/call.ts'
import { ConnectionError, ResponseError, TimeoutError } from '../outcome/errors.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import type { Verdict } from '../outcome/verdict.ts'
import { Completion } from '../call/completion.ts'
import { expectStream, type H2Stream } from './h2-stream.ts'
import { toUpstreamError } from './to-upstream-error.ts'
import { errors } from './undici.ts'

/** The most interim (1xx) responses that may precede the final one. */
const MAX_INTERIM = 32

/** What an exchange needs of the pool it runs in. */
export interface Transport {
  /** Sends the request of an exchange. */
  dispatch(call: Call, exchange: Exchange): void
  /** Sends it again; on a connection of its own, if a stale one failed. */
  replay(call: Call, exchange: Exchange, stale: boolean): Transport
  readonly clock: Clock
  /** Whether the connection that failed with this error had been open before `since`. */
  wasOpenBefore(error: unknown, since: number): boolean
  /** Whether a request is sent by undici itself, whose ways are known, and not by the dispatcher of a factory. */
  readonly isUndici: boolean
  /** The error of a connection, while undici passes it to the exchange on it. */
  readonly failing: Error | undefined
  /** Whether the newest connection speaks HTTP/2. */
  readonly isHttp2: boolean
}

/**
 * One request and its response: undici's handler, and the promise of the reply. This class has what all kinds have in common; a
 * buffered exchange collects the body, a streamed one turns it into a stream, a relayed one passes on the whole response.
 *
 * The exchange is what a call stops when it is cancelled, so that ending a call needs no AbortSignal: `controller.abort()`
 * frees the connection. A request that failed on a stale connection (kept alive here, closed by the other side), or on
 * an HTTP/2 stream that was refused unprocessed, is sent again at once, as neither is a failure of the upstream.
 */
export abstract class Exchange extends Completion implements Dispatcher.DispatchHandler, Stoppable {
  protected controller: Dispatcher.DispatchController | undefined
  protected answered = false
  protected settled = false
  /** The name of a header field that cannot be sent if the connection proves to speak HTTP/2. */
  forbidden: string | undefined
  #transport: Transport
  #interim = 0
  /** The stream over HTTP/2. */
  #stream: H2Stream | undefined
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
      // Cancelled while it waited for a connection: none of it must be sent.
      controller.abort(new Error('The call was cancelled before it was sent'))
      return
    }
    if (this.#transport.isHttp2 && this.forbidden !== undefined) {
      // Node would refuse it as well, and undici would close the connection with all its streams.
      this.controller = undefined
      const error = new errors.InvalidArgumentError(`invalid ${this.forbidden} header over HTTP/2`)
      this.onResponseError(controller, error)
      controller.abort(error)
      return
    }
    if (this.#transport.isHttp2) expectStream(stream => { this.#stream = stream })
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
      if (++this.#interim > MAX_INTERIM) this.stop(new ResponseError(this.call.trace, 'too many interim responses', 'gateway'))
      return
    }
    this.answered = true
    this.call.phase = 'body'
    this.begin(controller, status, headers)
  }

  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  abstract onResponseEnd(controller: Dispatcher.DispatchController, trailers: ReplyHeaders): void
  protected abstract begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void
  /** Runs after the failure has been reported to the layers. */
  protected abstract failed(error: unknown): void

  /** Whether an error is undici's refusal to build the request: the error of a request that exists has another controller. */
  protected isRefusal(controller: unknown): boolean {
    return controller === null && this.controller === undefined && this.#transport.isUndici
  }

  onResponseError(controller: unknown, error: unknown): void {
    if (this.settled) return
    const started = this.controller !== undefined
    // A kept connection that was reset while idle fails the requests that wait for it before they have begun.
    const reused = !this.answered && this.#transport.wasOpenBefore(error, this.call.attemptAt)
    // What becomes of a connection in which the caller is waited for says nothing about the upstream.
    if (this.#upload instanceof Readable && isGivenUp(this.#upload)) {
      this.stop(this.#upload.errored ?? error)
      return
    }
    const { answered, isUnread: unread } = this
    const refused = this.isRefusal(controller)
    const failure = toUpstreamError(error, this.call, { started, answered, reused, refused, unread })
    if (!answered && isReplayable(failure, this.call)) this.#replay(reused)
    else this.#fail(failure)
  }

  protected get clock(): Clock {
    return this.#transport.clock
  }

  /** Whether the reply's body has begun and its reader does not read it. */
  protected get isUnread(): boolean {
    return this.answered && this.call.phase === 'caller'
  }

  /** Ends the exchange, and its connection with it. */
  stop(reason: unknown): void {
    if (this.settled) return
    if (reason instanceof TimeoutError) this.#stream?.probe(this.clock)
    this.#fail(reason)
    this.controller?.abort(reason instanceof Error ? reason : new Error('The call was cancelled'))
  }

  /**
   * Whether the body ended because its connection failed, which makes a body without a length incomplete (RFC 9112 §8), or
   * because its stream was reset (RFC 9113 §8.1); undici reports it as complete.
   */
  protected cutShort(): boolean {
    const failing = this.#stream?.isCutOff === true ? this.#stream.cutOff : this.#transport.failing
    if (failing !== undefined) this.onResponseError(undefined, failing)
    return failing !== undefined
  }

  protected settle(): void {
    this.settled = true
    this.call.waitFor(undefined)
  }

  #replay(stale: boolean): void {
    this.call.replayed = true
    this.call.trace.mark('sent again on a new connection', this.call.at)
    this.controller = this.#stream = undefined
    this.call.phase = 'connect'
    this.#transport = this.#transport.replay(this.call, this, stale)
  }

  #fail(error: unknown): void {
    this.settle()
    this.ended(error)
    this.failed(error)
  }

  /** Whether another attempt may follow if this one fails. */
  protected get mayBeRetried(): boolean {
    const { settings: { retry, idempotent }, replayable, trace } = this.call
    return retry !== false && idempotent && replayable && trace.attempts <= retry.limit
  }

  /** @param verdict - what the response proves in spite of its size. */
  protected tooLarge(verdict: Verdict = 'healthy'): void {
    this.stop(new ResponseError(this.call.trace, `body longer than ${this.call.settings.maxBodySize} bytes`, verdict))
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
