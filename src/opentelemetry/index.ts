/**
 * Traces and metrics for OpenTelemetry. Needs `@opentelemetry/api`.
 *
 * @module breakwater/opentelemetry
 */
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
  /** The provider for metrics; false: no metrics. @default the global one of `@opentelemetry/api`, which must be set before */
  readonly meterProvider?: MeterProvider | false
  /** The provider for spans; false: no spans, and no context is propagated. @default the global one of `@opentelemetry/api` */
  readonly tracerProvider?: TracerProvider | false
  /** Injects the context into the headers of an attempt. @default the global one of `@opentelemetry/api` */
  readonly propagator?: Pick<TextMapPropagator, 'inject'>
}

/** An instrumented client. */
export interface Instrumentation {
  /** Stops recording, and ends the spans of calls in flight. Safe to call twice. */
  close(): void
}

const SCOPE = 'breakwater'
const instrumented = new WeakSet<Client>()

/** Checks that a value has a method, or is false if that is allowed. */
const hasMethod = (method: string, expected: string, orFalse: boolean): Check => (value, where) => {
  if (orFalse && value === false) return
  if (typeof (value as Record<string, unknown> | null)?.[method] !== 'function') refuse(where, value, expected)
}

/**
 * Instruments a client with OpenTelemetry: a span for each call and for each attempt, with context propagation; the standard
 * `http.client.request.duration`, and breakwater's own metrics. Errors of a provider are reported to `diag`, the first one as a
 * process warning as well; they never fail a call.
 *
 * @example
 * const client = createClient()
 * instrument(client)
 *
 * @throws OptionError for an invalid option, or when the client is already instrumented.
 */
export function instrument(client: Client, options: OpenTelemetryOptions = {}): Instrumentation {
  const { meterProvider, tracerProvider, propagator, ...policy } = telemetryPolicy(options, {
    meterProvider: hasMethod('getMeter', 'a MeterProvider, or false', true),
    tracerProvider: hasMethod('getTracer', 'a TracerProvider, or false', true),
    propagator: hasMethod('inject', 'a TextMapPropagator', false),
  })
  if (instrumented.has(client)) {
    throw new OptionError('client', 'an instrumented client', 'a client without instrumentation',
      `client '${client.name}' is already instrumented`)
  }
  const warn = warnOnce('telemetry')
  const onError = (error: unknown): void => {
    diag.error('breakwater: telemetry could not be recorded', error)
    warn(error)
  }
  const meter = meterProvider !== false && (meterProvider ?? metrics.getMeterProvider()).getMeter(SCOPE)
  const tracer = tracerProvider !== false && (tracerProvider ?? trace.getTracerProvider()).getTracer(SCOPE)
  const stops: (() => void)[] = []
  if (meter !== false) stops.push(meterClient(client, meter, policy, onError))
  if (tracer !== false) {
    stops.push(traceClient(client, { tracer, propagator: propagator ?? propagation, methods: policy.methods, onError }))
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
