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

const named = <T extends object>(name: string): EventChannel<T> => channel(`breakwater:${name}`) as unknown as EventChannel<T>

/**
 * Every event, as a `node:diagnostics_channel` that anybody may subscribe to by its name. Nothing in a payload holds a
 * header, a body, a query or a credential. A payload is built only when somebody listens.
 */
export const channels = {
  /** `breakwater:call:end` */
  callEnd: named<CallEvent>('call:end'),
  /** `breakwater:call:refused` */
  refused: named<RefusedEvent>('call:refused'),
  /** `breakwater:attempt:end` */
  attemptEnd: named<AttemptEvent>('attempt:end'),
  /** `breakwater:retry` */
  retry: named<RetryEvent>('retry'),
  /** `breakwater:retry:stopped` */
  retryStopped: named<RetryStoppedEvent>('retry:stopped'),
  /** `breakwater:circuit` */
  circuit: named<CircuitEvent>('circuit'),
  /** `breakwater:upstream:made` */
  upstreamMade: named<UpstreamEvent>('upstream:made'),
  /** `breakwater:upstream:gone` */
  upstreamGone: named<UpstreamEvent>('upstream:gone'),
} as const
