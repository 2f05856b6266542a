import type { CircuitState } from '../outcome/circuit-state.ts'
import type { Endpoint } from './endpoints/endpoint.ts'

/** One endpoint, as seen at one moment. */
export interface EndpointSnapshot {
  /** Its address. */
  readonly origin: string
  /** The state of its circuit; `off` where there is no breaker. */
  readonly circuit: CircuitState | 'off'
  /** Why the circuit is as it is. */
  readonly why: string
  /** ms until a probe may be made; undefined when the circuit is closed or nobody knows. */
  readonly probeIn: number | undefined
  /** Settled calls in the window. */
  readonly calls: number
  /** Share of them that failed, 0–1. */
  readonly failureRate: number
  /** Share of them that were slow, 0–1. */
  readonly slowCallRate: number
  /** Attempts in flight. */
  readonly inFlight: number
  /** Usual latency of healthy replies in ms. */
  readonly latency: number
}

/** A failure an upstream remembers. */
export interface RememberedError {
  /** How long ago, in ms. */
  readonly ago: number
  /** The error's code, e.g. `ERR_CONNECTION`. */
  readonly code: string
  /** The error's message. */
  readonly message: string
}

/** A limit, as seen at one moment. */
export interface LimitSnapshot {
  /** Calls that may be in flight now; Infinity without a limit. */
  readonly max: number
  /** Calls that hold a permit. */
  readonly inFlight: number
  /** Calls that wait for one. */
  readonly queued: number
}

/** A retry budget, as seen at one moment. */
export interface BudgetSnapshot {
  /** Tokens left. */
  readonly tokens: number
  /** Tokens it holds when full. */
  readonly capacity: number
}

/** The stale replies of an upstream, as seen at one moment. */
export interface StaleSnapshot {
  /** Replies kept. */
  readonly entries: number
  /** Bytes they take. */
  readonly bytes: number
}

/** An upstream, as seen at one moment. */
export interface UpstreamSnapshot {
  /** Its name, or its origin if it has none. */
  readonly name: string
  /** Whether it was configured by name or origin, and so is never forgotten. */
  readonly configured: boolean
  /** Its addresses, each with a circuit of its own. */
  readonly endpoints: readonly EndpointSnapshot[]
  /** Calls in flight and waiting, and how many may be in flight now. */
  readonly limit: LimitSnapshot
  /** What is left for retries. */
  readonly budget: BudgetSnapshot
  /** Replies kept to stand in for those that fail. */
  readonly stale: StaleSnapshot
  /** Calls not yet ended, waiting ones included. */
  readonly active: number
  /** Whether it takes no new calls, as it is being closed. */
  readonly draining: boolean
  /** The last failures, the oldest first; at most 5. */
  readonly lastErrors: readonly RememberedError[]
}

/** An endpoint as it is now. */
export function snapshotOf(endpoint: Endpoint, now: number): EndpointSnapshot {
  const { circuit, origin, inFlight, latency } = endpoint
  circuit?.window.advance(now)
  const { total, failures, slow } = circuit?.window ?? { total: 0, failures: 0, slow: 0 }
  const opensIn = circuit?.opensIn(now) ?? 0
  return {
    origin, inFlight,
    latency: latency.average,
    circuit: circuit?.state ?? 'off',
    why: circuit?.why(now) ?? 'the breaker is switched off',
    probeIn: opensIn > 0 && opensIn < Infinity ? opensIn : undefined,
    calls: total,
    failureRate: total === 0 ? 0 : failures / total,
    slowCallRate: total === 0 ? 0 : slow / total,
  }
}
