/**
 * What can be set for upstreams. Durations are ms, ratios are 0–1, sizes are bytes. What a caller writes is an `…Options` type,
 * all of it optional; what the layers read is a `…Policy` (`policy.ts`): merged, completed and frozen.
 */
import type { HeaderFields } from '../http/headers.ts'
import type { BreakerOptions } from './breaker-options.ts'
import type { Fallback } from './fallback-options.ts'
import type { PoolOptions } from './pool-options.ts'
import type { RetryOptions } from './retry-options.ts'

/** What can be set for every upstream, and for each. */
export interface UpstreamOptions {
  /** Longest time a call may take, all in all, in ms. @default 10000 */
  readonly deadline?: number
  /** Longest time one attempt may take, in ms; at most the deadline. @default the deadline */
  readonly attemptTimeout?: number
  /** Request header that tells the upstream how many ms remain; false: none. @default false */
  readonly deadlineHeader?: string | false
  /** Header fields sent with every call. @default {} */
  readonly headers?: HeaderFields
  /** Whether a status of 400 or more ends in a StatusError. @default true */
  readonly throwOnStatus?: boolean
  /**
   * Longest body of a reply, in bytes after decoding. Streamed replies are bounded only if a call says so. @default
   * 10485760
   */
  readonly maxBodySize?: number
  /** Redirects followed at most. @default 0 */
  readonly redirects?: number
  /** Retries; false: none. */
  readonly retry?: RetryOptions | false
  /** The circuit breaker of each endpoint; false: none. */
  readonly breaker?: BreakerOptions | false
  /** Calls in flight; false: no limit. */
  readonly limit?: LimitOptions | false
  /** A second attempt beside one that is slow (hedging), for calls that may be repeated; true: with defaults. @default false */
  readonly hedge?: HedgeOptions | boolean
  /** How much its calls matter when there are not enough permits: who is served first, and who is shed last. @default 'normal' */
  readonly priority?: Priority
  /** Connections. */
  readonly pool?: PoolOptions
  /** Whether equal GETs and HEADs that are in flight at the same time share one. @default false */
  readonly coalesce?: boolean
  /** Last good replies to GETs, kept to stand in for those that fail; true: with defaults. @default false */
  readonly stale?: StaleOptions | boolean
  /** Answers in place of the upstream when it can't; false: nothing does. @default false */
  readonly fallback?: Fallback | false
}

/** An upstream with a name has an address, too. */
export interface NamedUpstreamOptions extends UpstreamOptions {
  /** Its origin, e.g. `http://payments.internal:8080`, or one for each of its endpoints. */
  readonly url: string | readonly string[]
}

/** How many calls of an upstream may be in flight, and how many may wait. */
export interface LimitOptions {
  /** Whether the limit follows the capacity the upstream is found to have, up to `max`; if not, it is `max`. @default true */
  readonly adaptive?: boolean
  /** Calls in flight at most. @default 256, or pool.connections if that is less and http2 is off */
  readonly max?: number
  /** Calls that may wait for a permit. @default 1000 */
  readonly queue?: number
  /** Longest wait for a permit, in ms. @default the deadline */
  readonly queueTimeout?: number
}

/** When a call gets a second attempt beside one that is slow. */
export interface HedgeOptions {
  /** How slow: the percentile of the latencies of late, as a ratio. @default 0.95 */
  readonly percentile?: number
  /** Latencies that must be known first. @default 100 */
  readonly minimumCalls?: number
}

/** How much a call matters: in overload `background` is shed before `normal`, and `critical` last. */
export type Priority = 'critical' | 'normal' | 'background'

/** Which stale replies may stand in for those that fail. */
export interface StaleOptions {
  /** Age up to which a reply may stand in for another, in ms; its own Cache-Control may say less. @default 3600000 */
  readonly maxAge?: number
  /** Longest body that is kept, in bytes. @default 1048576 */
  readonly maxBodySize?: number
}
