/** One thing that is measured. */
export interface Instrument {
  /** By OpenTelemetry's rules; Prometheus' name follows from it, see {@link prometheusName}. */
  readonly name: `breakwater.${string}`
  /** What kind of a number it is. */
  readonly kind: 'counter' | 'histogram' | 'gauge'
  /** As UCUM writes it; what stands in braces is counted. */
  readonly unit: string
  /** What it says, in a line. */
  readonly help: string
  /** What tells its series apart, besides `client`. */
  readonly labels: readonly string[]
}

/** All that is measured, by one name in Prometheus and OpenTelemetry alike. */
export const INSTRUMENTS = {
  calls: {
    name: 'breakwater.calls', kind: 'counter', unit: '{call}', labels: ['upstream', 'method', 'status', 'error'],
    help: 'Calls that have ended, refused ones included.',
  },
  callDuration: {
    name: 'breakwater.call.duration', kind: 'histogram', unit: 's', labels: ['upstream', 'outcome'],
    help: 'From the start of a call to the end of its reply, retries and waits included.',
  },
  queueDuration: {
    name: 'breakwater.queue.duration', kind: 'histogram', unit: 's', labels: ['upstream'],
    help: 'How long calls waited for a permit, with those that did not have to.',
  },
  refused: {
    name: 'breakwater.refused', kind: 'counter', unit: '{call}', labels: ['upstream', 'error', 'kind'],
    help: 'Calls we refused ourselves, by the code of the error and the bound it ran into.',
  },
  rescued: {
    name: 'breakwater.rescued', kind: 'counter', unit: '{call}', labels: ['upstream', 'by', 'error'],
    help: 'Calls that failed and were answered all the same, by a stale reply or a fallback.',
  },
  joined: {
    name: 'breakwater.joined', kind: 'counter', unit: '{call}', labels: ['upstream'],
    help: 'Calls that shared the flight of an equal one, in which they are counted once.',
  },
  attempts: {
    name: 'breakwater.attempts', kind: 'counter', unit: '{attempt}',
    labels: ['upstream', 'endpoint', 'verdict', 'status', 'error'],
    help: 'Attempts that have ended, by what they prove about the endpoint.',
  },
  attemptDuration: {
    name: 'breakwater.attempt.duration', kind: 'histogram', unit: 's', labels: ['upstream', 'endpoint'],
    help: 'From the start of an attempt to the end of its reply.',
  },
  retries: {
    name: 'breakwater.retries', kind: 'counter', unit: '{retry}', labels: ['upstream'],
    help: 'Attempts after the first of a call.',
  },
  hedges: {
    name: 'breakwater.hedges', kind: 'counter', unit: '{hedge}', labels: ['upstream'],
    help: 'Second attempts beside one that was slow.',
  },
  retriesStopped: {
    name: 'breakwater.retries_stopped', kind: 'counter', unit: '{call}', labels: ['upstream', 'reason'],
    help: 'Calls that were not tried again though it would have been useful, by why not.',
  },
  circuitChanges: {
    name: 'breakwater.circuit.changes', kind: 'counter', unit: '{change}', labels: ['upstream', 'endpoint', 'to'],
    help: 'Changes of a circuit, by the state it went to.',
  },
  circuitState: {
    name: 'breakwater.circuit.state', kind: 'gauge', unit: '{endpoint}', labels: ['upstream', 'endpoint', 'state'],
    help: 'Endpoints whose circuit is in this state: 1 or 0, but for those folded into one.',
  },
  endpointFailure: {
    name: 'breakwater.endpoint.failure', kind: 'gauge', unit: '1', labels: ['upstream', 'endpoint'],
    help: 'Share of the calls in the window of the circuit that failed.',
  },
  endpointLatency: {
    name: 'breakwater.endpoint.latency', kind: 'gauge', unit: 's', labels: ['upstream', 'endpoint'],
    help: 'Usual latency of healthy replies.',
  },
  limit: {
    name: 'breakwater.limit', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls that may be in flight now; none is told where there is no limit.',
  },
  inFlight: {
    name: 'breakwater.in_flight', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls in flight.',
  },
  queued: {
    name: 'breakwater.queued', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls that wait for a permit.',
  },
  active: {
    name: 'breakwater.active', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls that have not ended, in flight, waiting or in back-off.',
  },
  saturation: {
    name: 'breakwater.saturation', kind: 'gauge', unit: '1', labels: ['upstream'],
    help: 'Calls in flight over the limit: at 1 the upstream gets all it is found to take.',
  },
  budgetTokens: {
    name: 'breakwater.budget.tokens', kind: 'gauge', unit: '{token}', labels: ['upstream'],
    help: 'Tokens left in the retry budget.',
  },
  budgetCapacity: {
    name: 'breakwater.budget.capacity', kind: 'gauge', unit: '{token}', labels: ['upstream'],
    help: 'Tokens the retry budget holds when full.',
  },
  upstreams: {
    name: 'breakwater.upstreams', kind: 'gauge', unit: '{upstream}', labels: [],
    help: 'Upstreams the client knows now.',
  },
} as const

/** Every instrument. */
export const ALL: readonly Instrument[] = Object.values(INSTRUMENTS)

/**
 * The name an instrument has in Prometheus, by OpenTelemetry's own rules, so that both ways of export feed the same
 * dashboards: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function prometheusName({ name, kind, unit }: Instrument): string {
  const suffix = unit === 's' ? '_seconds' : unit === '1' ? '_ratio' : ''
  return name.replaceAll('.', '_') + suffix + (kind === 'counter' ? '_total' : '')
}
