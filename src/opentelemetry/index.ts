import {
  diag, metrics, propagation, trace, type MeterProvider, type TextMapPropagator, type TracerProvider,
} from '@opentelemetry/api'
import type { Client } from '../client/client.ts'
import { OptionError } from '../outcome/errors.ts'
import type { Check } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'
import { telemetryPolicy, type TelemetryOptions } from '../telemetry/options.ts'
import { warnOnce } from '../telemetry/warn-once.ts'
import { meterClient } from './metrics.ts'
import { traceClient } from './spans.ts'

export type { TelemetryOptions } from '../telemetry/options.ts'

/** Options of {@link instrument}. */
export interface OpenTelemetryOptions extends TelemetryOptions {
  /** Where metrics go; false: nowhere. @default the global one of `@opentelemetry/api`, which must be set before */
  readonly meterProvider?: MeterProvider | false
  /** Where spans go; false: nowhere, and no context is sent along. @default the global one of `@opentelemetry/api` */
  readonly tracerProvider?: TracerProvider | false
  /** What puts the context into the headers of an attempt. @default the global one of `@opentelemetry/api` */
  readonly propagator?: Pick<TextMapPropagator, 'inject'>
}

/** An instrumented client. */
export interface Instrumentation {
  /** Stops listening, and ends the spans of calls in flight. Safe to call twice. */
  close(): void
}

const SCOPE = 'breakwater'
const instrumented = new WeakSet<Client>()

const having = (method: string, expected: string, orFalse: boolean): Check => (value, where) => {
  if (orFalse && value === false) return
  if (typeof (value as Record<string, unknown> | null)?.[method] !== 'function') refuse(where, value, expected)
}

/**
 * Tells OpenTelemetry of a client: a span for each call and one for each attempt, whose context goes out with it; the
 * conventional `http.client.request.duration`, and breakwater's own metrics. What fails in a provider is told to `diag`, and
 * once as a warning of the process; it never fails a call.
 *
 * @example
 * const client = createClient()
 * instrument(client)
 *
 * @throws OptionError when an option makes no sense, or the client is instrumented already.
 */
export function instrument(client: Client, options: OpenTelemetryOptions = {}): Instrumentation {
  const { meterProvider, tracerProvider, propagator, ...policy } = telemetryPolicy(options, {
    meterProvider: having('getMeter', 'a MeterProvider or false', true),
    tracerProvider: having('getTracer', 'a TracerProvider or false', true),
    propagator: having('inject', 'a TextMapPropagator', false),
  })
  if (instrumented.has(client)) {
    throw new OptionError('client', 'an instrumented one', 'a client without instrumentation', '`client` is already instrumented')
  }
  const warn = warnOnce('telemetry')
  const report = (error: unknown): void => {
    diag.error('breakwater: could not be recorded', error)
    warn(error)
  }
  const meter = meterProvider !== false && (meterProvider ?? metrics.getMeterProvider()).getMeter(SCOPE)
  const tracer = tracerProvider !== false && (tracerProvider ?? trace.getTracerProvider()).getTracer(SCOPE)
  const stops: (() => void)[] = []
  if (meter !== false) stops.push(meterClient(client, meter, policy, report))
  if (tracer !== false) {
    stops.push(traceClient(client, { tracer, propagator: propagator ?? propagation, methods: policy.methods, report }))
  }
  instrumented.add(client)
  let isClosed = false
  return {
    close() {
      if (isClosed) return
      isClosed = true
      for (const stop of stops) stop()
      instrumented.delete(client)
    },
  }
}
