/**
 * Metrics for Prometheus. Needs `prom-client`.
 *
 * @module breakwater/prometheus
 */
import { register as globalRegistry, type OpenMetricsContentType, type Registry } from 'prom-client'
import type { Client } from '../client/client.ts'
import { refuse } from '../options/refuse.ts'
import { observe } from '../telemetry/observe.ts'
import { telemetryPolicy, type TelemetryOptions } from '../telemetry/options.ts'
import { readings } from '../telemetry/readings.ts'
import { UpstreamNames } from '../telemetry/upstream-names.ts'
import { warnOnce } from '../telemetry/warn-once.ts'
import { familiesOf } from './families.ts'
import { seriesIn } from './series.ts'

export type { TelemetryOptions } from '../telemetry/options.ts'

/** Options of {@link prometheusMetrics}. */
export interface PrometheusOptions extends TelemetryOptions {
  /** The registry for the metrics. @default prom-client's global registry */
  readonly register?: Registry | Registry<OpenMetricsContentType>
  /** The prefix of metric names; dashboards and alerting rules expect the default. @default breakwater_ */
  readonly prefix?: string
}

/** The metrics of one client in a registry. */
export interface PrometheusMetrics {
  /**
   * Stops recording and removes the client's series from the registry, and the metrics as well if no other client reports to
   * it. Safe to call twice.
   */
  close(): void
}

const isRegistry = (value: unknown): boolean =>
  typeof (value as { registerMetric?: unknown } | null)?.registerMetric === 'function'

/**
 * Registers the metrics of a client with prom-client: counters and histograms from its events, gauges read from
 * `client.snapshot()` at each scrape. The series of an upstream are removed with it. Several clients may report to one
 * registry; they differ in the label `client`.
 *
 * @example
 * const client = createClient()
 * prometheusMetrics(client)
 * createServer(async (_, response) => response.end(await register.metrics())).listen(9464)
 *
 * @throws OptionError for an invalid option, or when a client of the same name reports to that registry already.
 */
export function prometheusMetrics(client: Client, options: PrometheusOptions = {}): PrometheusMetrics {
  const { register = globalRegistry, prefix, maxUpstreams, buckets, methods } = telemetryPolicy(options, {
    register: (value, where) => {
      if (!isRegistry(value)) refuse(where, value, 'a prom-client registry')
    },
    prefix: (value, where) => {
      if (typeof value !== 'string' || !/^[a-zA-Z_:][\w:]*$/.test(value)) refuse(where, value, 'the beginning of a metric name (letters, digits, _ and :)')
    },
  })
  const names = new UpstreamNames(client, maxUpstreams, true)
  const families = familiesOf(register, buckets, prefix)
  families.join(client.name, () => readings(client, names))
  const sink = seriesIn(families, client.name)
  const stop = observe(client, { names, methods, sink, onError: warnOnce('metrics') })
  return {
    close() {
      stop()
      sink.clear()
      families.leave(client.name)
    },
  }
}
