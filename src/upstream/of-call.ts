import type { Call } from '../call/call.ts'
import type { Endpoint } from './endpoints/endpoint.ts'
import type { Endpoints } from './endpoints/endpoints.ts'
import type { Budget } from './retry-budget.ts'
import type { Limit } from './limit/limit.ts'
import type { Percentile } from './latency/percentile.ts'
import type { BackingOff } from '../call/backing-off.ts'

/**
 * What the layers need of the upstream that a call goes to. It is found by way of the call, so that all upstreams of a client
 * share one stack: a stack of closures for each would take a third or more of what an idle upstream does, and no call site in it
 * would know its callee.
 */
export interface UpstreamState {
  readonly capacity: Limit
  readonly budget: Budget
  readonly endpoints: Endpoints
  /** Its calls that wait for their next attempt, for whoever has to end them. */
  readonly backingOff: BackingOff
  /** How long attempts take, once one may be hedged. */
  latencies: Percentile | undefined
}

/** The parts of the upstream that a call goes to. */
export const upstreamOf = (call: Call): UpstreamState => call.upstream as UpstreamState

/** The endpoint that the call's attempt goes to, or went to. */
export const endpointOf = (call: Call): Endpoint => call.endpoint as Endpoint
