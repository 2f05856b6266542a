import type { HeaderFields } from '../http/headers.ts'
import type { BreakerOptions } from './breaker-options.ts'
import type { ClientOptions } from './client-options.ts'
import type { PoolOptions } from './pool-options.ts'
import type { BudgetOptions, RetryOptions } from './retry-options.ts'
import type { HedgeOptions, LimitOptions, StaleOptions, UpstreamOptions } from './upstream-options.ts'

/** {@link BudgetOptions}, completed. */
export type BudgetPolicy = Required<BudgetOptions>
/** {@link RetryOptions}, completed. */
export interface RetryPolicy extends Required<Omit<RetryOptions, 'budget'>> {
  /** The retry budget. */
  readonly budget: BudgetPolicy
}
/** {@link BreakerOptions}, completed. */
export type BreakerPolicy = Required<BreakerOptions>
/** {@link LimitOptions}, completed. */
export type LimitPolicy = Required<LimitOptions>
/** {@link HedgeOptions}, completed. */
export type HedgePolicy = Required<HedgeOptions>
/** {@link PoolOptions}, completed; `connections` is Infinity where only the limit bounds them. */
export type PoolPolicy = Required<Omit<PoolOptions, 'tls' | 'socketPath' | 'factory'>> &
  { readonly [Name in 'tls' | 'socketPath' | 'factory']: PoolOptions[Name] | undefined }
/** {@link StaleOptions}, completed. */
export type StalePolicy = Required<StaleOptions>

/** Groups, and options whose default depends on others; each is completed by its own code in `resolve.ts`. */
type Composed = 'attemptTimeout' | 'headers' | 'retry' | 'breaker' | 'limit' | 'hedge' | 'pool' | 'stale'

/** The options of one upstream: merged, completed, checked and frozen. */
export interface Policy extends Required<Omit<UpstreamOptions, Composed>> {
  /** Maximum duration of one attempt, in ms. */
  readonly attemptTimeout: number
  /** Header fields sent with every call, names in lower case. */
  readonly headers: HeaderFields
  /** Retries; false: none. */
  readonly retry: RetryPolicy | false
  /** The circuit breaker of each endpoint; false: none. */
  readonly breaker: BreakerPolicy | false
  /** The limit on calls in flight; false: none. */
  readonly limit: LimitPolicy | false
  /** Hedging; false: none. */
  readonly hedge: HedgePolicy | false
  /** Connections. */
  readonly pool: PoolPolicy
  /** Which stale replies are kept and served; false: none. */
  readonly stale: StalePolicy | false
}

/** Options that are used as given, or have a fixed default. */
export type PlainPolicy = Omit<Policy, Composed>

/** Their defaults. */
export const PLAIN: PlainPolicy = {
  deadline: 10_000,
  callerTimeout: 300_000,
  deadlineHeader: false,
  throwOnStatus: true,
  maxBodySize: 10_485_760,
  redirects: 0,
  priority: 'normal',
  coalesce: false,
  fallback: false,
}

interface Defaults extends PlainPolicy {
  readonly retry: RetryPolicy
  readonly breaker: BreakerPolicy
  readonly limit: Omit<LimitPolicy, 'queueTimeout'>
  readonly hedge: HedgePolicy
  readonly pool: Omit<PoolPolicy, 'connections' | 'tls' | 'socketPath' | 'factory'>
  readonly stale: StalePolicy
  readonly client: Required<Pick<ClientOptions, 'allow' | 'maxUpstreams' | 'idleTimeout' | 'maxStaleSize'>>
}

/** All defaults that depend on no other option. */
export const DEFAULTS: Defaults = {
  ...PLAIN,
  retry: {
    limit: 4, methods: [], statuses: [408, 429, 500, 502, 503, 504],
    backoff: 50, throttledBackoff: 1_000, maxBackoff: 20_000,
    budget: { capacity: 500, cost: 14, throttledCost: 5 },
  },
  breaker: {
    failureRate: 0.5, minimumCalls: 20, window: 10_000, consecutive: 5,
    slowCallDuration: Infinity, slowCallRate: 0.8,
    probes: 3, probeTimeout: 5_000, probeShare: 0.015, openTime: 1_000, maxOpenTime: 30_000, ramp: 1_000,
    maxHold: 5_000, holdOn429: false,
  },
  limit: { adaptive: true, max: 256, queue: 1_000, bodies: 4_096 },
  hedge: { percentile: 0.95, minimumCalls: 100 },
  pool: { connectTimeout: 2_000, idleTimeout: 4_000, maxIdleTimeout: 30_000, maxAge: 300_000, http2: false },
  stale: { maxAge: 3_600_000, maxBodySize: 1_048_576 },
  client: { allow: 'any', maxUpstreams: 1_000, idleTimeout: 300_000, maxStaleSize: 52_428_800 },
}
