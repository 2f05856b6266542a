import { OptionError } from '../outcome/errors.ts'
import { checkShape, isRecord, list, methodName, number, positive, type Shape } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'

/** The options common to all metrics exporters. */
export interface TelemetryOptions {
  /**
   * The maximum number of upstreams with series of their own, besides those configured by name or origin. All others are
   * reported together as the upstream `other`. @default 100
   */
  readonly maxUpstreams?: number
  /**
   * Methods with a label of their own; all others are reported as `_OTHER`. @default those of RFC 9110, PATCH and QUERY
   */
  readonly methods?: readonly string[]
  /** Upper bounds of the histogram buckets, in seconds, ascending. @default 0.005 to 10, as OpenTelemetry recommends */
  readonly buckets?: readonly number[]
}

/** {@link TelemetryOptions}, completed. */
export type TelemetryPolicy = Required<TelemetryOptions>

const DEFAULTS: TelemetryPolicy = {
  maxUpstreams: 100,
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
  // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
}

const TELEMETRY: Shape = {
  maxUpstreams: positive, methods: list(methodName),
  buckets: (value, where) => {
    list(number(Number.MIN_VALUE, Number.MAX_VALUE, 'a number of seconds greater than 0'))(value, where)
    const bounds = value as readonly number[]
    if (bounds.length === 0) throw new OptionError(where, 'an empty array', 'a non-empty array')
    bounds.forEach((bound, index) => {
      const before = bounds[index - 1]
      if (before !== undefined && bound <= before) refuse(`${where}[${index}]`, bound, `greater than the bound before it (${before})`)
    })
  },
}

/** Checks and completes options; `more` has the checks for an exporter's own options. @throws OptionError */
export function telemetryPolicy<O extends TelemetryOptions>(options: O, more: Shape): O & TelemetryPolicy {
  const asked: unknown = options
  if (!isRecord(asked)) refuse('options', asked, 'a plain object')
  // Own properties only: inherited ones are not read.
  const own = { ...options }
  checkShape(own, { ...TELEMETRY, ...more }, '')
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) as O
  return { ...DEFAULTS, ...given }
}
