import type { CircuitState } from '../outcome/circuit-state.ts'
import type { Client } from '../client/client.ts'
import type { UpstreamSnapshot } from '../upstream/snapshot.ts'
import { INSTRUMENTS as I, type Instrument } from './instruments.ts'
import { OTHER, type Labels } from './labels.ts'
import type { UpstreamNames } from './upstream-names.ts'

/** The current value of a gauge. */
export interface Reading {
  readonly instrument: Instrument
  readonly labels: Labels
  value: number
}

const STATES: readonly CircuitState[] = ['closed', 'open', 'half-open', 'isolated']

/**
 * The current values of all gauges of a client, read from its snapshot: this costs nothing per call, and removed upstreams
 * disappear. The values of upstreams with the label `other` are added up.
 */
export function readings(client: Client, names: UpstreamNames): Reading[] {
  const found = new Map<string, Reading>()
  const add = (instrument: Instrument, labels: Labels, value: number): void => {
    const key = [instrument.name, ...Object.values(labels)].join('\0')
    const known = found.get(key)
    if (known === undefined) found.set(key, { instrument, labels, value })
    else known.value += value
  }
  const snapshots = client.snapshot()
  const limits = new Map<string, { inFlight: number; max: number }>()
  add(I.upstreams, {}, snapshots.length)
  for (const snapshot of snapshots) {
    const upstream = names.of(snapshot.name)
    const { limit, budget, active } = snapshot
    addEndpoints(snapshot, upstream, add)
    add(I.inFlight, { upstream }, inFlightOf(snapshot))
    add(I.queued, { upstream }, limit.queued)
    add(I.active, { upstream }, active)
    add(I.budgetTokens, { upstream }, budget.tokens)
    add(I.budgetCapacity, { upstream }, budget.capacity)
    if (limit.max === Infinity) continue
    add(I.limit, { upstream }, limit.max)
    const { inFlight, max } = limits.get(upstream) ?? { inFlight: 0, max: 0 }
    limits.set(upstream, { inFlight: inFlight + limit.inFlight, max: max + limit.max })
  }
  for (const [upstream, { inFlight, max }] of limits) add(I.saturation, { upstream }, inFlight / max)
  return [...found.values()]
}

/** The calls in flight. Without a limit no permits are taken, so attempts are counted instead. */
const inFlightOf = ({ limit, endpoints }: UpstreamSnapshot): number => limit.max === Infinity
  ? endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0)
  : limit.inFlight

function addEndpoints(
  { endpoints }: UpstreamSnapshot, upstream: string, add: (instrument: Instrument, labels: Labels, value: number) => void,
): void {
  for (const { origin, circuit, failureRate, latency } of endpoints) {
    const endpoint = upstream === OTHER ? OTHER : origin
    for (const state of STATES) add(I.circuitState, { upstream, endpoint, state }, circuit === state ? 1 : 0)
    // Rates and latencies cannot be added up.
    if (upstream === OTHER) continue
    add(I.endpointFailure, { upstream, endpoint }, failureRate)
    add(I.endpointLatency, { upstream, endpoint }, latency / 1_000)
  }
}
