import { Readable } from 'node:stream'
import type { Timer } from '../clock.ts'
import type { Body } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Policy } from '../options/policy.ts'
import type { Trace } from '../outcome/trace.ts'
import type { Phase } from '../outcome/upstream-error.ts'
import type { Sent } from '../outcome/verdict.ts'
import type { CallSettings } from './settings.ts'

/** The caller's side of a relayed call. */
export interface Relay {
  /** The longest time to wait for the next part of that caller's body, in ms. */
  readonly uploadTimeout: number
}

/** What a {@link Call} is created from. */
export interface CallInit {
  /** The upstream it goes to; opaque here, known to the layers. */
  readonly upstream: object
  readonly settings: CallSettings
  readonly trace: Trace
  /** Path and query. */
  readonly target: string
  readonly headers: HeaderFields | undefined
  readonly body: Body | undefined
  readonly signal: AbortSignal | undefined
  /** The request of a dispatcher's caller; opaque here, known to the transport, which passes it through. */
  readonly relay?: Relay | undefined
}

/** Something a call waits for and that can be stopped from outside. */
export interface Stoppable {
  /** Ends the wait, which fails with `reason`. */
  stop(reason: unknown): void
}

/** The reason with which an attempt is cancelled when another attempt of its call was faster. */
export const SUPERSEDED: Error = new Error('Another attempt was faster')

/**
 * A request on its way down the stack, with its state. All calls have one shape, so that access to them stays monomorphic; the
 * fields below the line are written by the layers.
 */
export class Call {
  readonly upstream: object
  readonly settings: CallSettings
  readonly trace: Trace
  readonly target: string
  readonly headers: HeaderFields | undefined
  readonly body: Body | undefined
  readonly signal: AbortSignal | undefined
  /** The caller's side of a relayed call, whose response is passed through instead of becoming the body of a reply. */
  readonly relay: Relay | undefined

  // -- written by layers --
  phase: Phase = 'queue'
  /** Whether its body can still be sent: always for a buffered one, until sending begins for a body that is consumed. */
  replayable: boolean
  /** When the call last resumed after a wait, on the monotonic clock: the current time, for layers that do not wait. */
  at: number
  /** The admission of its current attempt by the endpoint's circuit. */
  admission = 0
  /** The timer of the attempt timeout, if it has one. */
  attemptTimer: Timer | undefined = undefined
  /** The number of its current attempt: 1 is the first. */
  attempt = 0
  /** The time by which the call must have ended; the deadline layer moves it while a relayed call uploads. */
  deadlineAt: number
  /** When the current attempt began. */
  attemptAt = 0
  /** How long the endpoint of the current attempt usually takes, in ms. */
  usualLatency = 0
  /** When the upstream's turn began: with the attempt, or when the caller last sent a part of its body. */
  turnAt = 0
  /** How long the upstream took up to the headers of the reply, in ms; undefined if the caller was still uploading. */
  headersLatency: number | undefined = undefined
  /** Its permit: none, held, or lent to others while the call waits for its caller. */
  permit: 'none' | 'held' | 'lent' = 'none'
  /** Header fields that event listeners have added to the current attempt. */
  added: HeaderFields | undefined = undefined
  /** Time spent waiting for a permit, in ms. */
  queued = 0
  /** The endpoints that a failed attempt of it has counted against. */
  blamed: object[] | undefined = undefined
  /** The endpoint of its current attempt; a retry avoids the last one if it can. */
  endpoint: object | undefined = undefined
  /** Whether any attempt has been given a connection. */
  wasOnWire = false
  /** Whether the one free replay after a stale connection has been used. */
  replayed = false
  /** Set once the call has been ended from outside: by its deadline or by the caller. */
  cancelled = false
  /** Why it was cancelled; only meaningful when `cancelled`. */
  reason: unknown = undefined
  /** The timer of the deadline. */
  deadlineTimer: Timer | undefined = undefined
  /** The exchange of its current attempt; only `completion.ts` knows its type. */
  completion: object | undefined = undefined
  /** Runs when a body that comes from the caller as it is sent has gone. */
  onBodySent: (() => void) | undefined = undefined
  #waitsFor: Stoppable | undefined = undefined
  #onOver: (() => void) | undefined = undefined
  #fork: Call | undefined = undefined

  constructor(init: CallInit) {
    this.upstream = init.upstream
    this.settings = init.settings
    this.trace = init.trace
    this.target = init.target
    this.headers = init.headers
    this.body = init.body
    this.signal = init.signal
    this.relay = init.relay
    // undici destroys a Readable along with a connection that could not be made.
    this.replayable = !(init.body instanceof Readable)
    this.at = init.trace.startedAt
    this.deadlineAt = this.at + init.settings.deadline
  }

  get policy(): Policy {
    return this.settings.policy
  }

  get method(): string {
    return this.trace.method
  }

  get startedAt(): number {
    return this.trace.startedAt
  }

  /** Whether the upstream can have seen it. */
  get sent(): Sent {
    return this.wasOnWire || this.#fork?.wasOnWire === true ? 'maybe' : 'never'
  }

  /**
   * Sets what to stop when the call is ended from outside. A call waits for one thing at a time (a permit, a back-off, a
   * reply), so one slot is enough, and a call needs no AbortController. If the call has already been ended, between two
   * waits, it is stopped at once.
   */
  waitFor(waiting: Stoppable | undefined): void {
    this.#waitsFor = waiting
    if (this.cancelled) this.interrupt(this.reason)
  }

  /** Sets what to release, besides the deadline's timer, when the call is over. */
  whenOver(listener: () => void): void {
    this.#onOver = listener
  }

  /** Marks the call as over, including the body of its reply. */
  over(): void {
    this.deadlineTimer?.cancel()
    this.#onOver?.()
    this.#onOver = undefined
  }

  /** Ends what the call waits for, but not the call: after an attempt that took too long, another may follow. */
  interrupt(reason: unknown): void {
    const waiting = this.#waitsFor
    this.#waitsFor = undefined
    waiting?.stop(reason)
  }

  /** Ends the call from outside, once. What it waits for fails with `reason`. */
  cancel(reason: unknown): void {
    if (this.cancelled) return
    this.cancelled = true
    this.reason = reason
    this.interrupt(reason)
    this.#fork?.cancel(reason)
  }

  /** Copies the call for a second attempt beside the one in flight. Cancelling this call cancels the copy. */
  fork(now: number): Call {
    const fork = new Call(this)
    fork.at = now
    fork.queued = this.queued
    fork.endpoint = this.endpoint
    this.#fork = fork
    return fork
  }
}
