import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader, type DataPoint, type MetricData } from '@opentelemetry/sdk-metrics'
import {
  InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan, type Sampler,
} from '@opentelemetry/sdk-trace'
import type { TestContext } from 'node:test'
import { createClient, type Client, type ClientOptions } from '../../src/index.ts'
import { instrument, type OpenTelemetryOptions } from '../../src/opentelemetry/index.ts'
import { closing } from './check.ts'
import { startServer, type Handler, type TestServer } from './server.ts'

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A real SDK that keeps what it gets. */
export interface Sdk {
  readonly tracerProvider: TracerProvider
  readonly meterProvider: MeterProvider
  readonly propagator: W3CTraceContextPropagator
  /** Spans that have ended, in that order. */
  spans(): ReadableSpan[]
  /** A metric, as an exporter would get it now. */
  metric(name: string): Promise<MetricData | undefined>
  /** The data points of a metric, by their attributes but `client`. */
  points(name: string): Promise<[attributes: object, value: DataPoint<unknown>['value']][]>
}

/** Starts an SDK; contexts are those of the process, so tests with one must not run side by side. */
export const startSdk = (t: TestContext, sampler?: Sampler): Sdk => {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor({ exporter })]
  const tracerProvider = new TracerProvider({ spanProcessors, ...(sampler === undefined ? {} : { sampler }) })
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  t.after(async () => {
    context.disable()
    trace.disable()
    propagation.disable()
    await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()])
  })
  const metric = async (name: string): Promise<MetricData | undefined> => {
    const { resourceMetrics, errors } = await reader.collect()
    if (errors.length > 0) throw new AggregateError(errors)
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === name)
  }
  return {
    tracerProvider, meterProvider, metric,
    propagator: new W3CTraceContextPropagator(),
    spans: () => exporter.getFinishedSpans(),
    async points(name) {
      const found = await metric(name)
      return (found?.dataPoints ?? []).map(({ attributes: { client: _, ...attributes }, value }) => [attributes, value])
    },
  }
}

/** A client that is called `c`, told of by an SDK, before a server that is its upstream `api`. */
export const instrumented = async (
  t: TestContext, handler: Handler, options: ClientOptions, told: (sdk: Sdk) => OpenTelemetryOptions,
): Promise<[client: Client, server: TestServer, sdk: Sdk]> => {
  const sdk = startSdk(t)
  const server = await closing(t, startServer(handler))
  const client = await closing(t, createClient({ name: 'c', upstreams: { api: { url: server.url } }, ...options }))
  t.after(instrument(client, told(sdk)).close)
  return [client, server, sdk]
}
