import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call } from '../call/call.ts'
import type { Timer } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import { Reply, type RelayedBody, type ReplyHeaders } from '../outcome/reply.ts'
import { Exchange, type Transport } from './exchange.ts'
import { ownTimeout } from './relay-timeout.ts'
import { isUnsendable, toUpstreamError } from './to-upstream-error.ts'
import type { RelayedRequest, RelayedResponse } from './relay.ts'

type Controller = Dispatcher.DispatchController

/** The memory that a deferred chunk takes besides its bytes, about. */
const CHUNK_OVERHEAD = 256
/** The most bytes of a response to read while another attempt may still replace it. */
const MAX_DEFERRED_BYTES = 65_536

/**
 * Passes a response through to the caller of a dispatcher. At the headers it pauses and settles with a reply that has no body,
 * which the layers judge like any other; the caller's handler is called once they have decided for this response. A response
 * that may be retried is held back until the next attempt begins, as there may be none.
 */
export class RelayedExchange extends Exchange implements RelayedBody, RelayedResponse {
  readonly #relay: RelayedRequest
  /** Calls of the caller's handler that wait for that decision. */
  #deferred: (() => void)[] = []
  #deferredBytes = 0
  #isPassedOn = false
  /** Ends the response when its caller does not read it for too long. */
  #readTimer: Timer | undefined
  /** Whether nothing more follows. */
  #isDone = false

  constructor(call: Call, transport: Transport) {
    super(call, transport)
    this.#relay = call.relay as RelayedRequest
    this.#relay.dropHeldBack()
  }

  override onResponseStart(controller: Controller, status: number, headers: ReplyHeaders, text?: string): void {
    if (this.#isDone) return
    const { rawHeaders } = controller
    const start = (): void => { this.#relay.start(status, headers, text, rawHeaders) }
    if (status >= 200) controller.pause()
    if (status >= 200 || this.mayBeRetried) this.#deferred.push(start)
    else {
      // The caller sees this attempt: there must not be another.
      this.call.replayed = true
      start()
    }
    super.onResponseStart(controller, status, headers)
  }

  override get waitsForCaller(): boolean {
    return super.waitsForCaller || this.isUnread
  }

  /** Until the layers have decided on it, it is not the caller who does not read it. */
  protected override get isUnread(): boolean {
    return this.answered && this.#isPassedOn && this.#relay.controller.paused
  }

  protected begin(_controller: Controller, status: number, headers: ReplyHeaders): void {
    this.replied(new Reply(status, headers, this))
    this.deliver()
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#isPassedOn) {
      this.#relay.data(chunk)
      return
    }
    this.#deferred.push(() => { this.#relay.data(chunk) })
    if ((this.#deferredBytes += chunk.length + CHUNK_OVERHEAD) > MAX_DEFERRED_BYTES) controller.pause()
  }

  onResponseEnd(controller: Controller, trailers: ReplyHeaders): void {
    if (this.#isDone || this.cutShort()) return
    const { rawTrailers } = controller
    this.#complete()
    this.#isDone = true
    this.#notify(() => { this.#relay.end(trailers, rawTrailers) })
  }

  override onResponseError(controller: unknown, thrown: unknown): void {
    if (this.#isDone) return
    const error = ownTimeout(thrown, this.#relay.options, this.call, this.clock)
    // A request that undici refuses to send is the caller's mistake, and its error is undici's own.
    if (isUnsendable(error, this.isRefusal(controller))) this.stop(error)
    else if (!this.settled) super.onResponseError(controller, error)
    else {
      this.#isDone = true
      const progress = { started: true, answered: true, reused: false, refused: false, unread: this.isUnread }
      const failure = toUpstreamError(error, this.call, progress)
      this.#notify(() => { this.#relay.fail(failure) })
    }
  }

  onRequestUpgrade(controller: Controller, status: number, headers: ReplyHeaders, socket: Duplex): void {
    this.settle()
    this.#isDone = true
    // The connection now belongs to the caller: the call ends here.
    this.replied(new Reply(status, headers))
    this.ended()
    this.#relay.response = this
    this.#relay.upgrade(status, headers, socket, controller.rawHeaders)
  }

  override onBodySent(chunk: Buffer): void {
    super.onBodySent(chunk)
    this.#relay.bodySent(chunk)
  }

  override onRequestSent(): void {
    super.onRequestSent()
    this.#relay.requestSent()
  }

  onResponseStarted(): void {
    this.#relay.responseStarted()
  }

  passOn(): void {
    this.#relay.response = this
    // The handler may cause more to be deferred while this loop runs.
    for (const notify of this.#deferred) notify()
    this.#deferred = []
    this.#isPassedOn = true
    if (this.#relay.controller.paused) this.#awaitReader()
    else this.resume()
  }

  discard(): void {
    this.#complete()
    this.#relay.holdBack(this)
    this.resume()
  }

  pause(): void {
    this.controller?.pause()
    this.#awaitReader()
  }

  resume(): void {
    this.#readTimer?.cancel()
    this.#readTimer = undefined
    this.controller?.resume()
  }

  /** A response that its caller does not read holds a connection, so this wait has an end, too. */
  #awaitReader(): void {
    const { call: { trace } } = this
    const { readTimeout } = this.#relay
    if (this.#isDone) return
    this.#readTimer ??= this.clock.after(readTimeout, () => {
      this.stop(new DeadlineExceededError(trace, readTimeout, 'caller', { sent: 'maybe', verdict: 'none' }))
    })
  }

  abandon(): void {
    this.#isDone = true
    this.#deferred = []
    this.controller?.abort(new Error('The response is not needed'))
  }

  protected failed(error: unknown): void {
    this.#isDone = true
    this.#readTimer?.cancel()
    this.#relay.giveUpBody(error)
    // Without a reply the layers have the error, and it reaches the caller if they do not retry.
    if (this.answered) this.#notify(() => { this.#relay.fail(error) })
  }

  #complete(): void {
    if (this.settled) return
    this.#readTimer?.cancel()
    this.settle()
    this.ended()
  }

  #notify(run: () => void): void {
    if (this.#isPassedOn) run()
    else this.#deferred.push(run)
  }
}
