import { channel } from 'node:diagnostics_channel'
import type { CircuitState } from './outcome/circuit-state.ts'
import type { Env } from './clock.ts'
import { LimitExceededError, type LimitKind, type RejectedError } from './outcome/errors.ts'
import type { StopReason } from './outcome/upstream-error.ts'
import type { Verdict } from './outcome/verdict.ts'

/** An upstream was created or removed. */
export interface UpstreamEvent {
  /** The client's name. */
  readonly client: string
  /** The upstream's name, or its origin. */
  readonly upstream: string
}

/** The fields common to the events of one call. */
export interface OneCallEvent extends UpstreamEvent {
  /** The call's number: the same in all events of one call, and unique in this process. */
  readonly call: number
  /** The call's method. */
  readonly method: string
}

/** A call started; published for refused calls, too. Each redirect that is followed is a call of its own. */
export interface CallStartEvent extends OneCallEvent {
  /** The path without its query. */
  readonly path: string
}

/** An attempt started. */
export interface AttemptStartEvent extends CallStartEvent {
  /** The origin it goes to. */
  readonly endpoint: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  /**
   * Sends a header field with this attempt. It overrides a field of the same name set by the caller or the upstream's options.
   * Works only during the event; later it does nothing.
   * @throws OptionError for an invalid name or value, and for fields that frame the message.
   */
  setHeader(name: string, value: string): void
}

/** An attempt ended. Times in ms. */
export interface AttemptEvent extends OneCallEvent {
  /** The origin it went to. */
  readonly endpoint: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  /** The status, if there was a reply. */
  readonly status?: number
  /** The HTTP version, if there was a reply and it is known: not with a custom dispatcher, nor when HTTP/2 is offered. */
  readonly protocol?: '1.1'
  /** The error's code, `aborted` when the caller ended the call, or `superseded` when another attempt was faster. */
  readonly error?: string
  /** What it proves about the endpoint. */
  readonly verdict: Verdict
  /** From the start of the attempt to the end of the reply's body, in ms. */
  readonly duration: number
}

/** A retry will follow. */
export interface RetryEvent extends OneCallEvent {
  /** The number of the attempt that will follow: 2 for the first retry. */
  readonly attempt: number
  /** The delay before it, in ms. */
  readonly delay: number
}

/** A call failed in a way that could be retried, and is not retried. */
export interface RetryStoppedEvent extends OneCallEvent {
  /** Attempts made. */
  readonly attempts: number
  /** Why there is no further attempt. */
  readonly reason: StopReason
}

/** A second attempt started beside a slow one. */
export interface HedgeEvent extends OneCallEvent {
  /** The number of the attempt: 2, if there was no retry before. */
  readonly attempt: number
  /** How long the first attempt has been in flight, in ms. */
  readonly delay: number
}

/** The client itself refused a call. */
export interface RefusedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
  /** The error's code, e.g. `ERR_CIRCUIT_OPEN`. */
  readonly error: string
  /** Which limit the call hit, for `ERR_LIMIT_EXCEEDED`. */
  readonly kind?: LimitKind
}

/** A circuit changed state. */
export interface CircuitEvent extends UpstreamEvent {
  /** The origin the circuit belongs to. */
  readonly endpoint: string
  /** The previous state. */
  readonly from: CircuitState
  /** The new state. */
  readonly to: CircuitState
  /** Why, e.g. `failure rate` or `probes succeeded`. */
  readonly reason: string
}

/** A call ended. */
export interface CallEvent extends OneCallEvent {
  /** Attempts made; 0 when the call was refused. */
  readonly attempts: number
  /** From the start of the call to the end of the reply's body, in ms. */
  readonly duration: number
  /** The part of it spent waiting for a permit, in ms. */
  readonly queued: number
  /** The status, if there was a reply. */
  readonly status?: number
  /** The error's code, or `aborted` when the caller ended the call. */
  readonly error?: string
}

/** A stale reply or a fallback replaced the error of a call. */
export interface RescuedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
  /** What replaced the error. */
  readonly by: 'stale' | 'fallback'
  /** The code of the error that was replaced. */
  readonly error: string
  /** Age of the stale reply, in ms. */
  readonly age?: number
}

/** A call joined an identical one in flight and shares its reply. */
export interface JoinedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
}

/** A typed channel of node:diagnostics_channel. */
export interface EventChannel<T extends object> {
  /** The name to pass to `diagnostics_channel.channel()`. */
  readonly name: string
  /** Whether the channel has subscribers; without any, no payload is built. */
  readonly hasSubscribers: boolean
  /** Sends a message to all subscribers; for the library itself. */
  publish(message: T): void
  /** Adds a subscriber. It is called synchronously in the middle of a call, so it should return quickly. */
  subscribe(listener: (message: T) => void): void
  /** Removes a subscriber. @returns whether it was subscribed. */
  unsubscribe(listener: (message: T) => void): boolean
}

/** The channels and the events they carry. */
export interface Channels {
  /** `breakwater:call:start`: a call started. */
  readonly callStart: EventChannel<CallStartEvent>
  /** `breakwater:call:end`: a call ended, successfully or not; a streamed one ends with its body. */
  readonly callEnd: EventChannel<CallEvent>
  /** `breakwater:call:refused`: the client itself refused a call. */
  readonly refused: EventChannel<RefusedEvent>
  /** `breakwater:call:rescued`: a stale reply or a fallback replaced the error of a call. */
  readonly rescued: EventChannel<RescuedEvent>
  /** `breakwater:call:joined`: a call joined an identical one in flight; `callEnd` is published once for both. */
  readonly joined: EventChannel<JoinedEvent>
  /** `breakwater:attempt:start`: an attempt of a call started; subscribers may add header fields to it. */
  readonly attemptStart: EventChannel<AttemptStartEvent>
  /** `breakwater:attempt:end`: an attempt of a call ended. */
  readonly attemptEnd: EventChannel<AttemptEvent>
  /** `breakwater:retry`: a retry will follow after a back-off. */
  readonly retry: EventChannel<RetryEvent>
  /** `breakwater:retry:stopped`: a call failed in a way that could be retried, and is not retried. */
  readonly retryStopped: EventChannel<RetryStoppedEvent>
  /** `breakwater:hedge`: a second attempt started beside a slow one. */
  readonly hedge: EventChannel<HedgeEvent>
  /** `breakwater:circuit`: the circuit of an endpoint changed state. */
  readonly circuit: EventChannel<CircuitEvent>
  /** `breakwater:upstream:made`: an upstream was created, with the client or by its first call. */
  readonly upstreamMade: EventChannel<UpstreamEvent>
  /** `breakwater:upstream:gone`: an upstream was drained or destroyed. */
  readonly upstreamGone: EventChannel<UpstreamEvent>
}

const named = <T extends object>(name: string): EventChannel<T> => channel(`breakwater:${name}`) as unknown as EventChannel<T>

/**
 * All events, as channels of `node:diagnostics_channel`; any code in the process can subscribe to one by its name. No payload
 * holds a header, a body, a query or a credential, and a payload is built only if the channel has subscribers. The channels
 * are shared by all clients of the process: each event names its client.
 *
 * @example
 * channels.circuit.subscribe(({ upstream, to, reason }) => { log.warn({ upstream, to, reason }) })
 */
export const channels: Channels = {
  callStart: named('call:start'),
  callEnd: named('call:end'),
  refused: named('call:refused'),
  rescued: named('call:rescued'),
  joined: named('call:joined'),
  attemptStart: named('attempt:start'),
  attemptEnd: named('attempt:end'),
  retry: named('retry'),
  retryStopped: named('retry:stopped'),
  hedge: named('hedge'),
  circuit: named('circuit'),
  upstreamMade: named('upstream:made'),
  upstreamGone: named('upstream:gone'),
}

/** Publishes the refusal of a call, if the channel has subscribers. */
export function publishRefused(env: Env, upstream: string, method: string, error: RejectedError): void {
  if (!channels.refused.hasSubscribers) return
  const kind = error instanceof LimitExceededError ? { kind: error.kind } : {}
  channels.refused.publish({ client: env.client ?? '', upstream, method, error: error.code, ...kind })
}
