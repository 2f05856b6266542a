/** The definition of one metric. */
export interface Instrument {
  /** The name in OpenTelemetry; the name in Prometheus is derived from it, see {@link prometheusName}. */
  readonly name: `breakwater.${string}`
  /** The kind of metric. */
  readonly kind: 'counter' | 'histogram' | 'gauge'
  /** The unit in UCUM notation; an annotation in braces names what is counted. */
  readonly unit: string
  /** The description, in one line. */
  readonly help: string
  /** The labels, besides `client`. */
  readonly labels: readonly string[]
}

/** All metrics, with the same names in Prometheus and OpenTelemetry. */
export const INSTRUMENTS = {
  calls: {
    name: 'breakwater.calls', kind: 'counter', unit: '{call}', labels: ['upstream', 'method', 'status', 'error'],
    help: 'Calls that have ended, including refused ones.',
  },
  callDuration: {
    name: 'breakwater.call.duration', kind: 'histogram', unit: 's', labels: ['upstream', 'outcome'],
    help: 'Duration of a call up to the end of its reply, including retries and waits.',
  },
  queueDuration: {
    name: 'breakwater.queue.duration', kind: 'histogram', unit: 's', labels: ['upstream'],
    help: 'Time calls waited for a permit; 0 for calls that did not wait.',
  },
  refused: {
    name: 'breakwater.refused', kind: 'counter', unit: '{call}', labels: ['upstream', 'error', 'kind'],
    help: 'Calls refused by the client itself, by error code and the limit that was hit.',
  },
  rescued: {
    name: 'breakwater.rescued', kind: 'counter', unit: '{call}', labels: ['upstream', 'by', 'error'],
    help: 'Failed calls whose error was replaced by a stale reply or a fallback.',
  },
  joined: {
    name: 'breakwater.joined', kind: 'counter', unit: '{call}', labels: ['upstream'],
    help: 'Calls that joined an identical call in flight; the shared call is counted once in calls.',
  },
  attempts: {
    name: 'breakwater.attempts', kind: 'counter', unit: '{attempt}',
    labels: ['upstream', 'endpoint', 'verdict', 'status', 'error'],
    help: 'Attempts that have ended, by what their outcome proves about the endpoint.',
  },
  attemptDuration: {
    name: 'breakwater.attempt.duration', kind: 'histogram', unit: 's', labels: ['upstream', 'endpoint'],
    help: 'Duration of an attempt up to the end of its reply.',
  },
  retries: {
    name: 'breakwater.retries', kind: 'counter', unit: '{retry}', labels: ['upstream'],
    help: 'Retries: attempts after the first one of a call.',
  },
  hedges: {
    name: 'breakwater.hedges', kind: 'counter', unit: '{hedge}', labels: ['upstream'],
    help: 'Hedges: second attempts started beside a slow one.',
  },
  retriesStopped: {
    name: 'breakwater.retries_stopped', kind: 'counter', unit: '{call}', labels: ['upstream', 'reason'],
    help: 'Calls with a retryable failure that were not retried, by reason.',
  },
  circuitChanges: {
    name: 'breakwater.circuit.changes', kind: 'counter', unit: '{change}', labels: ['upstream', 'endpoint', 'to'],
    help: 'State changes of a circuit, by the new state.',
  },
  circuitState: {
    name: 'breakwater.circuit.state', kind: 'gauge', unit: '{endpoint}', labels: ['upstream', 'endpoint', 'state'],
    help: 'Endpoints whose circuit is in this state: 1 or 0, except for the aggregate other.',
  },
  endpointFailure: {
    name: 'breakwater.endpoint.failure', kind: 'gauge', unit: '1', labels: ['upstream', 'endpoint'],
    help: 'Share of failed calls in the window of the circuit.',
  },
  endpointLatency: {
    name: 'breakwater.endpoint.latency', kind: 'gauge', unit: 's', labels: ['upstream', 'endpoint'],
    help: 'Usual latency of healthy replies.',
  },
  limit: {
    name: 'breakwater.limit', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Current limit on calls in flight; absent without a limit.',
  },
  inFlight: {
    name: 'breakwater.in_flight', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls in flight.',
  },
  queued: {
    name: 'breakwater.queued', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls waiting for a permit.',
  },
  active: {
    name: 'breakwater.active', kind: 'gauge', unit: '{call}', labels: ['upstream'],
    help: 'Calls that have not ended: in flight, waiting or in back-off.',
  },
  saturation: {
    name: 'breakwater.saturation', kind: 'gauge', unit: '1', labels: ['upstream'],
    help: 'Calls in flight divided by the limit; at 1 further calls wait or are refused.',
  },
  budgetTokens: {
    name: 'breakwater.budget.tokens', kind: 'gauge', unit: '{token}', labels: ['upstream'],
    help: 'Tokens left in the retry budget.',
  },
  budgetCapacity: {
    name: 'breakwater.budget.capacity', kind: 'gauge', unit: '{token}', labels: ['upstream'],
    help: 'Capacity of the retry budget.',
  },
  upstreams: {
    name: 'breakwater.upstreams', kind: 'gauge', unit: '{upstream}', labels: [],
    help: 'Current upstreams of the client.',
  },
} as const

/** Every instrument. */
export const ALL: readonly Instrument[] = Object.values(INSTRUMENTS)

/**
 * The name of an instrument in Prometheus, by OpenTelemetry's rules, so that both exporters feed the same dashboards:
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function prometheusName({ name, kind, unit }: Instrument): string {
  const suffix = unit === 's' ? '_seconds' : unit === '1' ? '_ratio' : ''
  return name.replaceAll('.', '_') + suffix + (kind === 'counter' ? '_total' : '')
}
