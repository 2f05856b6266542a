/**
 * The client: pooled connections, a circuit breaker for each endpoint, retries within a budget, a limit on the calls in
 * flight, and one deadline over all of it. Begin with {@link createClient}.
 *
 * @module breakwater
 */
export { createClient, type Client } from './client/client.ts'
export {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError,
  OptionError, RejectedError, ResponseError, StatusError, TimeoutError, UpstreamError,
} from './outcome/errors.ts'
export { channels } from './events.ts'
export { toGatewayStatus, type GatewayStatus } from './outcome/gateway-status.ts'

export type { Body, SolidBody, StreamBody } from './http/body.ts'
export type { CircuitState } from './outcome/circuit-state.ts'
export type { Clock, Env, Random, Timer } from './clock.ts'
export type { Blame, LimitKind } from './outcome/errors.ts'
export type {
  AttemptEvent, AttemptStartEvent, CallEvent, CallStartEvent, Channels, CircuitEvent, EventChannel, HedgeEvent, JoinedEvent,
  OneCallEvent, RefusedEvent, RescuedEvent, RetryEvent, RetryStoppedEvent, UpstreamEvent,
} from './events.ts'
export type { ClientDispatcher } from './client/dispatcher/dispatcher.ts'
export type { Explanation } from './upstream/explain.ts'
export type { BreakerOptions } from './options/breaker-options.ts'
export type { ClientOptions } from './options/client-options.ts'
export type { Fallback, FallbackReply, FallbackRequest } from './options/fallback-options.ts'
export type {
  BreakerPolicy, BudgetPolicy, HedgePolicy, LimitPolicy, Policy, PoolPolicy, RetryPolicy, StalePolicy,
} from './options/policy.ts'
export type { ConnectionTls, DispatcherLike, PoolOptions } from './options/pool-options.ts'
export type { BudgetOptions, RetryOptions } from './options/retry-options.ts'
export type {
  HedgeOptions, LimitOptions, NamedUpstreamOptions, Priority, StaleOptions, UpstreamOptions,
} from './options/upstream-options.ts'
export type { HeaderFields } from './http/headers.ts'
export type { Reply, ReplyBody, ReplyHeaders, Stale, StandIn, Timings } from './outcome/reply.ts'
export type { CallOptions, QueryValue } from './options/call-options.ts'
export type { CallReport, Phase, StopReason, TimelineEntry } from './outcome/upstream-error.ts'
export type {
  BreakerEvents, BreakerResult, BreakerStats, BreakerStatus, BreakerView,
} from './upstream/circuit/breaker-view.ts'
export type { UpstreamClient } from './client/upstream-client.ts'
export type {
  BudgetSnapshot, EndpointSnapshot, LimitSnapshot, RememberedError, StaleSnapshot, UpstreamSnapshot,
} from './upstream/snapshot.ts'
export type { ReplyPromise, Verbs } from './client/verbs.ts'
export type { Sent, Verdict } from './outcome/verdict.ts'
