import { channel } from 'node:diagnostics_channel'
import type { CircuitState } from './circuit-state.ts'
import type { StopReason } from './upstream-error.ts'
import type { Verdict } from './verdict.ts'

/** One attempt has ended. Times in ms. */
export interface AttemptEvent {
  readonly upstream: string
  readonly endpoint: string
  readonly method: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  readonly status?: number
  /** The error's code when there was no reply. */
  readonly error?: string
  readonly verdict: Verdict
  readonly duration: number
}

/** A retry follows, after `delay` ms. */
export interface RetryEvent {
  readonly upstream: string
  readonly method: string
  readonly attempt: number
  readonly delay: number
}

/** A retry would have been useful but does not follow. */
export interface RetryStoppedEvent {
  readonly upstream: string
  readonly method: string
  readonly attempts: number
  readonly reason: StopReason
}

/** We refused a call. */
export interface RefusedEvent {
  readonly upstream: string
  readonly method: string
  /** The error's code, e.g. `ERR_CIRCUIT_OPEN`. */
  readonly error: string
}

/** A circuit changed its state. */
export interface CircuitEvent {
  readonly upstream: string
  readonly endpoint: string
  readonly from: CircuitState
  readonly to: CircuitState
  readonly reason: string
}

/** A call has ended. */
export interface CallEvent {
  readonly upstream: string
  readonly method: string
  readonly attempts: number
  readonly duration: number
  readonly status?: number
  /** The error's code, or `aborted` when the caller ended the call. */
  readonly error?: string
}

/** An upstream was made, or drained and forgotten. */
export interface UpstreamEvent {
  readonly upstream: string
}

/** A channel of node:diagnostics_channel whose messages are of one type. */
export interface EventChannel<T extends object> {
  readonly name: string
  /** False while nobody listens; then nothing needs to be built. */
  readonly hasSubscribers: boolean
  publish(message: T): void
  subscribe(listener: (message: T) => void): void
  unsubscribe(listener: (message: T) => void): boolean
}

/** The channels there are, and what comes over each. */
export interface Channels {
  /** `breakwater:call:end`: a call has ended, well or not; a streamed one when its body has. */
  readonly callEnd: EventChannel<CallEvent>
  /** `breakwater:call:refused`: we refused a call ourselves. */
  readonly refused: EventChannel<RefusedEvent>
  /** `breakwater:attempt:end`: one attempt of a call has ended. */
  readonly attemptEnd: EventChannel<AttemptEvent>
  /** `breakwater:retry`: a retry follows after a back-off. */
  readonly retry: EventChannel<RetryEvent>
  /** `breakwater:retry:stopped`: a retry would have been useful but does not follow. */
  readonly retryStopped: EventChannel<RetryStoppedEvent>
  /** `breakwater:circuit`: the circuit of an endpoint changed its state. */
  readonly circuit: EventChannel<CircuitEvent>
  /** `breakwater:upstream:made`: an upstream was made, at start or by its first call. */
  readonly upstreamMade: EventChannel<UpstreamEvent>
  /** `breakwater:upstream:gone`: an upstream was drained or destroyed. */
  readonly upstreamGone: EventChannel<UpstreamEvent>
}

const named = <T extends object>(name: string): EventChannel<T> => channel(`breakwater:${name}`) as unknown as EventChannel<T>

/**
 * Every event, as a `node:diagnostics_channel` that anybody may subscribe to by its name. Nothing in a payload holds a
 * header, a body, a query or a credential. A payload is built only when somebody listens.
 */
export const channels: Channels = {
  callEnd: named('call:end'),
  refused: named('call:refused'),
  attemptEnd: named('attempt:end'),
  retry: named('retry'),
  retryStopped: named('retry:stopped'),
  circuit: named('circuit'),
  upstreamMade: named('upstream:made'),
  upstreamGone: named('upstream:gone'),
}

/** Tells of a call that was refused before it became one, if anybody listens. */
export function tellRefused(upstream: string, method: string, error: string): void {
  if (channels.refused.hasSubscribers) channels.refused.publish({ upstream, method, error })
}
