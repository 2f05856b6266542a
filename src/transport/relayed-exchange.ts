import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call } from '../call/call.ts'
import type { Timer } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import { Reply, type RelayedBody, type ReplyHeaders } from '../outcome/reply.ts'
import { Exchange, type Transport } from './exchange.ts'
import { isUnsendable, toUpstreamError } from './to-upstream-error.ts'
import type { OnWire, RelayedRequest } from './relay.ts'

type Controller = Dispatcher.DispatchController

/** Bytes of a response that are taken off the wire while another attempt may yet replace it. */
const MOST_HELD = 65_536

/**
 * Hands a response through to the caller of a dispatcher, as it comes. At the headers it stands still and settles with a
 * reply that has no body, which the layers judge as they do any other; the caller hears of it once they have decided that
 * this is the one. One that is to be retried is kept until the next attempt begins: there may be none.
 */
export class RelayedExchange extends Exchange implements RelayedBody, OnWire {
  readonly #relay: RelayedRequest
  /** What the caller has not been told yet. */
  #held: (() => void)[] = []
  #heldBytes = 0
  #handsOn = false
  /** Ends it when its caller reads nothing of it for too long. */
  #reader: Timer | undefined
  /** Nothing more can come of it. */
  #isDone = false

  constructor(call: Call, transport: Transport) {
    super(call, transport)
    this.#relay = call.relay as RelayedRequest
    this.#relay.dropSpare()
  }

  override onResponseStart(controller: Controller, status: number, headers: ReplyHeaders, text?: string): void {
    if (this.#isDone) return
    const { rawHeaders } = controller
    const tell = (): void => { this.#relay.start(status, headers, text, rawHeaders) }
    if (status >= 200) controller.pause()
    if (status >= 200 || this.#mayBeRetried()) this.#held.push(tell)
    else {
      // The caller has heard of this attempt: there must not be another.
      this.call.replayed = true
      tell()
    }
    super.onResponseStart(controller, status, headers)
  }

  override get waitsForCaller(): boolean {
    return super.waitsForCaller || this.isUnread
  }

  /** Until the layers have decided on it, it is not the caller who does not read it. */
  protected override get isUnread(): boolean {
    return this.answered && this.#handsOn && this.#relay.controller.paused
  }

  protected begin(_controller: Controller, status: number, headers: ReplyHeaders): void {
    this.replied(new Reply(status, headers, this))
    this.deliver()
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#handsOn) {
      this.#relay.data(chunk)
      return
    }
    this.#held.push(() => { this.#relay.data(chunk) })
    if ((this.#heldBytes += chunk.length) > MOST_HELD) controller.pause()
  }

  onResponseEnd(controller: Controller, trailers: ReplyHeaders): void {
    if (this.#isDone || this.cutShort()) return
    const { rawTrailers } = controller
    this.#complete()
    this.#isDone = true
    this.#tell(() => { this.#relay.end(trailers, rawTrailers) })
  }

  override onResponseError(controller: unknown, error: unknown): void {
    if (this.#isDone) return
    // What undici refuses to send is the caller's mistake, and said in undici's words.
    if (isUnsendable(error)) this.stop(error)
    else if (!this.settled) super.onResponseError(controller, error)
    else {
      this.#isDone = true
      const failure = toUpstreamError(error, this.call, { started: true, answered: true, reused: false, unread: this.isUnread })
      this.#tell(() => { this.#relay.fail(failure) })
    }
  }

  onRequestUpgrade(controller: Controller, status: number, headers: ReplyHeaders, socket: Duplex): void {
    this.settle()
    this.#isDone = true
    // The connection is the caller's from now on, for as long as that likes: what is left of the call ends here.
    this.replied(new Reply(status, headers))
    this.ended()
    this.#relay.wire = this
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

  handOn(): void {
    this.#relay.wire = this
    // What is told may make more come.
    for (const tell of this.#held) tell()
    this.#held = []
    this.#handsOn = true
    if (this.#relay.controller.paused) this.#awaitReader()
    else this.resume()
  }

  discard(): void {
    this.#complete()
    this.#relay.keep(this)
    this.resume()
  }

  pause(): void {
    this.controller?.pause()
    this.#awaitReader()
  }

  resume(): void {
    this.#reader?.cancel()
    this.#reader = undefined
    this.controller?.resume()
  }

  /** A response that nobody reads holds a connection: it has an end, too. */
  #awaitReader(): void {
    const { call: { trace } } = this
    const { callerTimeout } = this.#relay
    if (this.#isDone) return
    this.#reader ??= this.clock.after(callerTimeout, () => {
      this.stop(new DeadlineExceededError(trace, callerTimeout, 'caller', 'maybe', 'none'))
    })
  }

  letGo(): void {
    this.#isDone = true
    this.#held = []
    this.controller?.abort(new Error('the response is not wanted'))
  }

  protected failed(error: unknown): void {
    this.#isDone = true
    this.#reader?.cancel()
    // Without a reply the layers have been told, and the caller is once they have given up.
    if (this.answered) this.#tell(() => { this.#relay.fail(error) })
  }

  #complete(): void {
    if (this.settled) return
    this.#reader?.cancel()
    this.settle()
    this.ended()
  }

  #tell(tell: () => void): void {
    if (this.#handsOn) tell()
    else this.#held.push(tell)
  }

  #mayBeRetried(): boolean {
    const { settings: { retry, idempotent }, replayable, trace } = this.call
    return retry !== false && idempotent && replayable && trace.attempts <= retry.limit
  }
}
