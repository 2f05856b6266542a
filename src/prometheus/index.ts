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
  /** Where the metrics are registered. @default prom-client's global registry */
  readonly register?: Registry | Registry<OpenMetricsContentType>
  /** What metric names begin with; dashboards and rules expect the default. @default breakwater_ */
  readonly prefix?: string
}

/** The metrics of one client in a registry. */
export interface PrometheusMetrics {
  /**
   * Stops listening and takes the client's series out of the registry, and the metrics with them when no other client has
   * any there. Safe to call twice.
   */
  close(): void
}

const isRegistry = (value: unknown): boolean =>
  typeof (value as { registerMetric?: unknown } | null)?.registerMetric === 'function'

/**
 * Registers the metrics of a client with prom-client: counters and durations from its events, gauges read from
 * `client.snapshot()` at each scrape. The series of an upstream go when it goes. Several clients may report to one
 * registry; the label `client` tells them apart.
 *
 * @example
 * const client = createClient()
 * prometheusMetrics(client)
 * createServer(async (_, response) => response.end(await register.metrics())).listen(9464)
 *
 * @throws OptionError when an option makes no sense, or a client of the same name reports to that registry already.
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
  const stop = observe(client, { names, methods, sink, report: warnOnce('metrics') })
  return {
    close() {
      stop()
      sink.clear()
      families.leave(client.name)
    },
  }
}
