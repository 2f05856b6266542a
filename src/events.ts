import { channel } from 'node:diagnostics_channel'
import type { CircuitState } from './outcome/circuit-state.ts'
import type { Env } from './clock.ts'
import { LimitExceededError, type LimitKind, type RejectedError } from './outcome/errors.ts'
import type { StopReason } from './outcome/upstream-error.ts'
import type { Verdict } from './outcome/verdict.ts'

/** An upstream was made, or drained and forgotten. */
export interface UpstreamEvent {
  /** The client's name. */
  readonly client: string
  /** The upstream's name, or its origin. */
  readonly upstream: string
}

/** Something happened to one call. */
export interface OneCallEvent extends UpstreamEvent {
  /** The call's number, the same in all events of one call; unique in this process. */
  readonly call: number
  /** The call's method. */
  readonly method: string
}

/** A call begins. Of a refused one too; redirects are calls of their own. */
export interface CallStartEvent extends OneCallEvent {
  /** The path without its query. */
  readonly path: string
}

/** One attempt begins. */
export interface AttemptStartEvent extends CallStartEvent {
  /** The origin it goes to. */
  readonly endpoint: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  /**
   * Sends a header field with this attempt, over one of the same name that the caller or the upstream's options set. For
   * the time of the event only; later it does nothing.
   * @throws OptionError for what is no name or value of a header field, and for fields that frame the message.
   */
  setHeader(name: string, value: string): void
}

/** One attempt has ended. Times in ms. */
export interface AttemptEvent extends OneCallEvent {
  /** The origin it went to. */
  readonly endpoint: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  /** The status when there was a reply. */
  readonly status?: number
  /** The HTTP version, where there was a reply and it is known: not with a dispatcher of yours, nor with HTTP/2 on offer. */
  readonly protocol?: '1.1'
  /** The error's code, `aborted` when the caller ended the call, or `superseded` when another attempt was faster. */
  readonly error?: string
  /** What it proves about the endpoint. */
  readonly verdict: Verdict
  /** From its start to the end of the reply's body, in ms. */
  readonly duration: number
}

/** A retry follows. */
export interface RetryEvent extends OneCallEvent {
  /** Which attempt will follow: 2 for the first retry. */
  readonly attempt: number
  /** After how many ms. */
  readonly delay: number
}

/** A retry would have been useful but does not follow. */
export interface RetryStoppedEvent extends OneCallEvent {
  /** Attempts made. */
  readonly attempts: number
  /** Why there is no further one. */
  readonly reason: StopReason
}

/** A second attempt goes out beside a slow one. */
export interface HedgeEvent extends OneCallEvent {
  /** Which attempt it is: 2, if there was no retry before. */
  readonly attempt: number
  /** How long the first has been out, in ms. */
  readonly delay: number
}

/** We refused a call. */
export interface RefusedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
  /** The error's code, e.g. `ERR_CIRCUIT_OPEN`. */
  readonly error: string
  /** Which bound it ran into, where it is `ERR_LIMIT_EXCEEDED`. */
  readonly kind?: LimitKind
}

/** A circuit changed its state. */
export interface CircuitEvent extends UpstreamEvent {
  /** The origin whose circuit it is. */
  readonly endpoint: string
  /** The state it was in. */
  readonly from: CircuitState
  /** The state it is in now. */
  readonly to: CircuitState
  /** Why, e.g. `failure rate` or `probes succeeded`. */
  readonly reason: string
}

/** A call has ended. */
export interface CallEvent extends OneCallEvent {
  /** Attempts made; 0 when it was refused. */
  readonly attempts: number
  /** From its start to the end of the reply's body, in ms. */
  readonly duration: number
  /** How much of that it waited for a permit, in ms. */
  readonly queued: number
  /** The status when there was a reply. */
  readonly status?: number
  /** The error's code, or `aborted` when the caller ended the call. */
  readonly error?: string
}

/** A call that would have failed was answered all the same. */
export interface RescuedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
  /** By what. */
  readonly by: 'stale' | 'fallback'
  /** The code of the error it did not end with. */
  readonly error: string
  /** Age of the stale reply, in ms. */
  readonly age?: number
}

/** A call shares the flight of an equal one. */
export interface JoinedEvent extends UpstreamEvent {
  /** The call's method. */
  readonly method: string
}

/** A channel of node:diagnostics_channel whose messages are of one type. */
export interface EventChannel<T extends object> {
  /** The name by which `diagnostics_channel.channel()` finds it. */
  readonly name: string
  /** False while nobody listens; then nothing needs to be built. */
  readonly hasSubscribers: boolean
  /** Tells everybody who listens; what the library itself does. */
  publish(message: T): void
  /** Begins to listen. A listener runs in the middle of a call: it should be quick. */
  subscribe(listener: (message: T) => void): void
  /** Stops listening. @returns whether it had listened. */
  unsubscribe(listener: (message: T) => void): boolean
}

/** The channels there are, and what comes over each. */
export interface Channels {
  /** `breakwater:call:start`: a call begins. */
  readonly callStart: EventChannel<CallStartEvent>
  /** `breakwater:call:end`: a call has ended, well or not; a streamed one when its body has. */
  readonly callEnd: EventChannel<CallEvent>
  /** `breakwater:call:refused`: we refused a call ourselves. */
  readonly refused: EventChannel<RefusedEvent>
  /** `breakwater:call:rescued`: a stale reply or a fallback stands in for an error. */
  readonly rescued: EventChannel<RescuedEvent>
  /** `breakwater:call:joined`: a call shares the flight of an equal one, whose end is told once. */
  readonly joined: EventChannel<JoinedEvent>
  /** `breakwater:attempt:start`: one attempt of a call begins; header fields may be added to it. */
  readonly attemptStart: EventChannel<AttemptStartEvent>
  /** `breakwater:attempt:end`: one attempt of a call has ended. */
  readonly attemptEnd: EventChannel<AttemptEvent>
  /** `breakwater:retry`: a retry follows after a back-off. */
  readonly retry: EventChannel<RetryEvent>
  /** `breakwater:retry:stopped`: a retry would have been useful but does not follow. */
  readonly retryStopped: EventChannel<RetryStoppedEvent>
  /** `breakwater:hedge`: a second attempt goes out beside a slow one. */
  readonly hedge: EventChannel<HedgeEvent>
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
 * header, a body, a query or a credential. A payload is built only when somebody listens. They are the process's: each
 * says whose client it comes from.
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

/** Tells of a call that was refused before it became one, if anybody listens. */
export function tellRefused(env: Env, upstream: string, method: string, error: RejectedError): void {
  if (!channels.refused.hasSubscribers) return
  const kind = error instanceof LimitExceededError ? { kind: error.kind } : {}
  channels.refused.publish({ client: env.client ?? '', upstream, method, error: error.code, ...kind })
}
