import type { Call } from '../call/call.ts'
import type { Endpoint } from './endpoints/endpoint.ts'
import type { Endpoints } from './endpoints/endpoints.ts'
import type { Budget } from './retry-budget.ts'
import type { Limit } from './limit/limit.ts'
import type { Percentile } from './latency/percentile.ts'
import type { BackingOff } from '../call/backing-off.ts'

/**
 * The state of an upstream, as the layers use it. The layers find it through the call, so that all upstreams of a client share
 * one stack: a stack of closures for each would add a third or more to the memory of an idle upstream, and no call site in it
 * would be monomorphic.
 */
export interface UpstreamState {
  readonly capacity: Limit
  readonly budget: Budget
  readonly endpoints: Endpoints
  /** Its calls in back-off before a retry, so that `destroy()` can end them. */
  readonly backingOff: BackingOff
  /** How long attempts take; set by the first call that may be hedged. */
  latencies: Percentile | undefined
}

/** The state of the upstream that a call goes to. */
export const upstreamOf = (call: Call): UpstreamState => call.upstream as UpstreamState

/** The endpoint of the call's current or last attempt. */
export const endpointOf = (call: Call): Endpoint => call.endpoint as Endpoint
