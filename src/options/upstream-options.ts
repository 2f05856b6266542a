/**
 * Options of upstreams. Durations are in ms, ratios are 0–1, sizes are in bytes. What a caller writes is an `…Options` type, in
 * which everything is optional; what the layers read is a `…Policy` (`policy.ts`): merged, completed and frozen.
 */
import type { HeaderFields } from '../http/headers.ts'
import type { BreakerOptions } from './breaker-options.ts'
import type { Fallback } from './fallback-options.ts'
import type { PoolOptions } from './pool-options.ts'
import type { RetryOptions } from './retry-options.ts'

/** Options for all upstreams, or for one of them. */
export interface UpstreamOptions {
  /** Maximum duration of a call in all, in ms: waiting, retries and redirects included. @default 10000 */
  readonly deadline?: number
  /** Maximum duration of one attempt, in ms; at most the deadline. @default the deadline */
  readonly attemptTimeout?: number
  /**
   * Maximum time, in ms, for which a caller of `dispatcher()` or `fetch` may read nothing of its response, or send nothing of its
   * request's body (there at most the deadline): time that the deadline does not count. @default 300000
   */
  readonly callerTimeout?: number
  /** Request header that carries the time left until the deadline, in ms; false: none. @default false */
  readonly deadlineHeader?: string | false
  /** Header fields sent with every call. @default {} */
  readonly headers?: HeaderFields
  /** Whether a status of 400 or above rejects the call with a StatusError. @default true */
  readonly throwOnStatus?: boolean
  /** Maximum size of a reply's body, in bytes after decoding. It does not apply to streamed replies. @default 10485760 */
  readonly maxBodySize?: number
  /** Maximum number of redirects that are followed. @default 0 */
  readonly redirects?: number
  /** Retries; false: none. */
  readonly retry?: RetryOptions | false
  /** The circuit breaker of each endpoint; false: none. */
  readonly breaker?: BreakerOptions | false
  /** The limit on calls in flight; false: none. */
  readonly limit?: LimitOptions | false
  /** Hedging: a second attempt of a repeatable call whose first attempt is slow; true: with the defaults. @default false */
  readonly hedge?: HedgeOptions | boolean
  /** Priority of calls when permits are scarce: which are served first, and which are shed last. @default 'normal' */
  readonly priority?: Priority
  /** Connections. */
  readonly pool?: PoolOptions
  /** Whether equal GETs and HEADs that are in flight at the same time share one request. @default false */
  readonly coalesce?: boolean
  /** Serves the last good reply to a GET when the upstream fails; true: with the defaults. @default false */
  readonly stale?: StaleOptions | boolean
  /** Answers in place of an upstream that fails; false: none. @default false */
  readonly fallback?: Fallback | false
}

/** Options of an upstream that is configured by a name. */
export interface NamedUpstreamOptions extends UpstreamOptions {
  /** Its origin, e.g. `http://payments.internal:8080`, or the origins of its endpoints. */
  readonly url: string | readonly string[]
}

/** How many calls of an upstream may be in flight, and how many may wait. */
export interface LimitOptions {
  /** Whether the limit adapts to the measured capacity of the upstream, up to `max`; false: it is `max`. @default true */
  readonly adaptive?: boolean
  /** Maximum number of calls in flight. @default 256, or pool.connections if less and http2 is off */
  readonly max?: number
  /** Maximum number of calls that wait for a permit. @default 1000 */
  readonly queue?: number
  /** Maximum time that a call waits for a permit, in ms. @default the deadline */
  readonly queueTimeout?: number
  /**
   * Maximum number of bodies in transit besides the calls in flight: uploads that their callers send slowly, and streamed
   * replies, whose permit is returned at their headers. @default 4096
   */
  readonly bodies?: number
}

/** When a slow attempt is joined by a second one. */
export interface HedgeOptions {
  /** Percentile of recent latencies after which the second attempt starts, as a ratio. @default 0.95 */
  readonly percentile?: number
  /** Number of latencies that must have been recorded before the first hedge. @default 100 */
  readonly minimumCalls?: number
}

/** How much a call matters: under overload `background` is shed before `normal`, and `critical` last. */
export type Priority = 'critical' | 'normal' | 'background'

/** Which stale replies are kept and served. */
export interface StaleOptions {
  /** Maximum age of a reply that is served, in ms; the reply's Cache-Control may lower it. @default 3600000 */
  readonly maxAge?: number
  /** Maximum size of a body that is kept, in bytes. @default 1048576 */
  readonly maxBodySize?: number
}
