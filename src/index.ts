export { createClient, type Client } from './client.ts'
export {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError,
  OptionError, RejectedError, ResponseError, StatusError, TimeoutError, UpstreamError,
} from './errors.ts'
export { channels } from './events.ts'
export { toGatewayStatus, type GatewayStatus } from './gateway-status.ts'

export type { Body, SolidBody, StreamBody } from './call.ts'
export type { CircuitState } from './circuit-state.ts'
export type { Clock, Env, Random, Timer } from './clock.ts'
export type { Blame, LimitKind } from './errors.ts'
export type {
  AttemptEvent, AttemptStartEvent, CallEvent, CallStartEvent, Channels, CircuitEvent, EventChannel, HedgeEvent, JoinedEvent,
  OneCallEvent, RefusedEvent, RescuedEvent, RetryEvent, RetryStoppedEvent, UpstreamEvent,
} from './events.ts'
export type { ClientDispatcher } from './dispatcher.ts'
export type { Explanation } from './explain.ts'
export type {
  BreakerOptions, BreakerPolicy, BudgetOptions, BudgetPolicy, ClientOptions, ConnectionTls, DispatcherLike, Fallback,
  FallbackReply, FallbackRequest, HeaderFields, HedgeOptions, HedgePolicy, LimitOptions, LimitPolicy, NamedUpstreamOptions,
  Policy, PoolOptions, PoolPolicy, Priority, RetryOptions, RetryPolicy, StaleOptions, StalePolicy, UpstreamOptions,
} from './options.ts'
export type { Reply, ReplyBody, ReplyHeaders, Stale, StandIn, Timings } from './reply.ts'
export type { CallOptions, QueryValue } from './request.ts'
export type { CallReport, Phase, StopReason, TimelineEntry } from './upstream-error.ts'
export type { UpstreamClient } from './upstream-client.ts'
export type {
  BudgetSnapshot, EndpointSnapshot, LimitSnapshot, RememberedError, StaleSnapshot, UpstreamSnapshot,
} from './upstream-snapshot.ts'
export type { ReplyPromise, Verbs } from './verbs.ts'
export type { Sent, Verdict } from './verdict.ts'
