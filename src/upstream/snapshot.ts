import type { CircuitState } from '../outcome/circuit-state.ts'
import type { Endpoint } from './endpoints/endpoint.ts'

/** The state of one endpoint at one moment. */
export interface EndpointSnapshot {
  /** Its address. */
  readonly origin: string
  /** The state of its circuit; `off` without a breaker. */
  readonly circuit: CircuitState | 'off'
  /** Why the circuit is in this state. */
  readonly why: string
  /** Time until a probe may be made, in ms; undefined when the circuit is closed or the time is unknown. */
  readonly probeIn: number | undefined
  /** Paths whose calls are refused on their own, because of failures or a Retry-After of theirs. */
  readonly heldPaths: number
  /** Settled calls in the window. */
  readonly calls: number
  /** Share of these calls that failed, 0–1. */
  readonly failureRate: number
  /** Share of these calls that were slow, 0–1. */
  readonly slowCallRate: number
  /** Attempts in flight. */
  readonly inFlight: number
  /** Usual latency of healthy replies, in ms. */
  readonly latency: number
}

/** A recent failure of an upstream. */
export interface RememberedError {
  /** How long ago it was, in ms. */
  readonly ago: number
  /** The error's code, e.g. `ERR_CONNECTION`. */
  readonly code: string
  /** The error's message. */
  readonly message: string
}

/** The state of a concurrency limit at one moment. */
export interface LimitSnapshot {
  /** The current limit on calls in flight; Infinity without a limit. */
  readonly max: number
  /** Calls that hold a permit. */
  readonly inFlight: number
  /** Calls that wait for a permit. */
  readonly queued: number
  /** Bodies in transit, which hold no permit: uploads sent slowly, and streamed replies. */
  readonly bodies: number
}

/** The state of a retry budget at one moment. */
export interface BudgetSnapshot {
  /** Tokens left. */
  readonly tokens: number
  /** Tokens it holds when full. */
  readonly capacity: number
}

/** The stored replies of an upstream at one moment. */
export interface StaleSnapshot {
  /** Number of stored replies. */
  readonly entries: number
  /** Their size in bytes. */
  readonly bytes: number
}

/** The state of an upstream at one moment. */
export interface UpstreamSnapshot {
  /** Its name, or its origin if it has none. */
  readonly name: string
  /** Whether it was configured by name or origin, so that it is never removed. */
  readonly configured: boolean
  /** Its addresses, each with its own circuit. */
  readonly endpoints: readonly EndpointSnapshot[]
  /** Calls in flight and waiting, and the current limit. */
  readonly limit: LimitSnapshot
  /** The retry budget. */
  readonly budget: BudgetSnapshot
  /** Replies stored to replace errors. */
  readonly stale: StaleSnapshot
  /** Calls that have not ended, waiting ones included. */
  readonly active: number
  /** Whether it is closing and takes no new calls. */
  readonly draining: boolean
  /** The most recent failures, oldest first; at most 5. */
  readonly lastErrors: readonly RememberedError[]
}

/** Takes a snapshot of an endpoint. */
export function snapshotOf(endpoint: Endpoint, now: number): EndpointSnapshot {
  const { circuit, origin, inFlight, latency } = endpoint
  circuit?.window.advance(now)
  const { total, failures, slow } = circuit?.window ?? { total: 0, failures: 0, slow: 0 }
  const opensIn = circuit?.opensIn(now) ?? 0
  return {
    origin, inFlight,
    latency: latency.average,
    circuit: circuit?.state ?? 'off',
    why: circuit?.why(now) ?? 'the breaker is disabled',
    probeIn: opensIn > 0 && opensIn < Infinity ? opensIn : undefined,
    heldPaths: circuit?.holds.pathsHeld(now) ?? 0,
    calls: total,
    failureRate: total === 0 ? 0 : failures / total,
    slowCallRate: total === 0 ? 0 : slow / total,
  }
}
