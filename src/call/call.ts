import { Readable } from 'node:stream'
import type { Timer } from '../clock.ts'
import type { Body } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Policy } from '../options/policy.ts'
import type { Trace } from '../outcome/trace.ts'
import type { Phase } from '../outcome/upstream-error.ts'
import type { CallSettings } from './settings.ts'

/** Everything a {@link Call} is made from. */
export interface CallInit {
  /** The upstream it goes to; only who made it and the layers know what is in it. */
  readonly upstream: object
  readonly settings: CallSettings
  readonly trace: Trace
  /** Path and query. */
  readonly target: string
  readonly headers: HeaderFields | undefined
  readonly body: Body | undefined
  readonly signal: AbortSignal | undefined
  /** What a dispatcher's caller asked for; only the pool, which hands it through, knows what is in it. */
  readonly relay?: object | undefined
}

/** What a call waits for, as far as it can be ended from outside. */
export interface Stoppable {
  /** Ends it; whoever waits hears of `reason`. */
  stop(reason: unknown): void
}

/** Why an attempt was cancelled whose call had its reply from another one. */
export const SUPERSEDED: Error = new Error('Another attempt was faster')

/**
 * What the caller asked, and what travels with it down the stack. One shape for every call, so that the engine keeps it
 * monomorphic; layers write to the part below the line.
 */
export class Call {
  readonly upstream: object
  readonly settings: CallSettings
  readonly trace: Trace
  readonly target: string
  readonly headers: HeaderFields | undefined
  readonly body: Body | undefined
  readonly signal: AbortSignal | undefined
  /** The other side of a call whose response is handed through as it comes, instead of being made a reply's body. */
  readonly relay: object | undefined
  /** When it must have ended. */
  readonly deadlineAt: number

  // -- written by layers --
  phase: Phase = 'queue'
  /** Whether its body can be sent, again or still: one that is consumed as it is sent, until that has begun. */
  replayable: boolean
  /** When it last went on after a wait, on the monotonic clock: the present, for layers that do not wait. */
  at: number
  /** The leave its attempt in flight has from the endpoint's circuit. */
  admission = 0
  /** The attempt's own time limit, if it has one. */
  attemptTimer: Timer | undefined = undefined
  /** Which of the call's attempts it is at: 1 is the first. */
  attempt = 0
  /** When the attempt in flight began, and how long the endpoint usually takes, in ms. */
  attemptAt = 0
  usualLatency = 0
  /** Header fields that listeners have added to the attempt in flight. */
  added: HeaderFields | undefined = undefined
  /** ms spent waiting for a permit. */
  queued = 0
  /** The endpoint of its attempt; a retry avoids the last one if it can. */
  endpoint: object | undefined = undefined
  /** Whether the one free replay of a stale connection has been used. */
  replayed = false
  /** Set once the call has been ended from outside: by its deadline or by the caller. */
  cancelled = false
  /** Why; only meaningful when `cancelled`. */
  reason: unknown = undefined
  /** Its time limit. */
  deadlineTimer: Timer | undefined = undefined
  /** What its attempt has on the wire; only `sent.ts` knows what that is. */
  completion: object | undefined = undefined
  #waitsFor: Stoppable | undefined = undefined
  #onOver: (() => void) | undefined = undefined
  #twin: Call | undefined = undefined

  constructor(init: CallInit) {
    this.upstream = init.upstream
    this.settings = init.settings
    this.trace = init.trace
    this.target = init.target
    this.headers = init.headers
    this.body = init.body
    this.signal = init.signal
    this.relay = init.relay
    // undici takes a Readable down with a connection that could not be made.
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

  /**
   * Names what is to be stopped when the call is ended from outside. A call waits for one thing at a time (a permit, a
   * back-off, a reply), so there is one place for it; this is what saves an AbortController per call. One that comes when
   * the call has been ended already, between two waits, is stopped at once.
   */
  waitFor(waiting: Stoppable | undefined): void {
    this.#waitsFor = waiting
    if (this.cancelled) this.interrupt(this.reason)
  }

  /** Names what else than its deadline is to be let go of when the call is over. */
  whenOver(listener: () => void): void {
    this.#onOver = listener
  }

  /** Tells that the call is over, the body of its reply included. */
  over(): void {
    this.deadlineTimer?.cancel()
    this.#onOver?.()
    this.#onOver = undefined
  }

  /** Ends what the call waits for, but not the call: an attempt may take too long and another follow. */
  interrupt(reason: unknown): void {
    const waiting = this.#waitsFor
    this.#waitsFor = undefined
    waiting?.stop(reason)
  }

  /** Ends the call from outside, once. Whatever it waits for settles with `reason`. */
  cancel(reason: unknown): void {
    if (this.cancelled) return
    this.cancelled = true
    this.reason = reason
    this.interrupt(reason)
    this.#twin?.cancel(reason)
  }

  /** The same call once more, for another attempt beside the one in flight: it is ended when this one is. */
  fork(now: number): Call {
    const twin = new Call(this)
    twin.at = now
    twin.queued = this.queued
    twin.endpoint = this.endpoint
    this.#twin = twin
    return twin
  }
}
