import type { Attributes, Counter, Histogram, Meter, ObservableGauge } from '@opentelemetry/api'
import type { Client } from '../client/client.ts'
import { channels } from '../events.ts'
import { ALL, type Instrument } from '../telemetry/instruments.ts'
import { methodLabel, OTHER } from '../telemetry/labels.ts'
import { listen, observe, type Report, type Sink } from '../telemetry/observe.ts'
import type { TelemetryPolicy } from '../telemetry/options.ts'
import { readings } from '../telemetry/readings.ts'
import { UpstreamNames } from '../telemetry/upstream-names.ts'
import { labelAttributes, outcomeAttributes, serverAttributes } from './attributes.ts'

/** Feeds a meter with the metrics of a client. @returns how to stop. */
export function meterClient(client: Client, meter: Meter, policy: TelemetryPolicy, report: Report): () => void {
  // What a counter has once seen it keeps: a place that was free again would be one more series each time.
  const names = new UpstreamNames(client, policy.maxUpstreams, false)
  const { methods } = policy
  const stops = [
    observe(client, { names, methods, report, sink: sinkOf(client, meter, policy) }),
    gauge(client, meter, names, report),
    timeRequests(client, meter, names, policy, report),
  ]
  return () => { for (const stop of stops) stop() }
}

const optionsOf = ({ unit, help }: Instrument): { unit: string; description: string } => ({ unit, description: help })

function sinkOf(client: Client, meter: Meter, { buckets }: TelemetryPolicy): Sink {
  const counters = new Map<Instrument, Counter>()
  const histograms = new Map<Instrument, Histogram>()
  const advice = { explicitBucketBoundaries: [...buckets] }
  for (const instrument of ALL) {
    const options = optionsOf(instrument)
    const { name, kind } = instrument
    if (kind === 'counter') counters.set(instrument, meter.createCounter(name, options))
    if (kind === 'histogram') histograms.set(instrument, meter.createHistogram(name, { ...options, advice }))
  }
  return {
    count(instrument, labels) { counters.get(instrument)?.add(1, labelAttributes(client.name, labels)) },
    record(instrument, labels, seconds) { histograms.get(instrument)?.record(seconds, labelAttributes(client.name, labels)) },
    forget() { /* A meter forgets nothing: the number of names is bounded for good. */ },
  }
}

/** Gauges are read when they are collected; an upstream that is gone shows no more. */
function gauge(client: Client, meter: Meter, names: UpstreamNames, report: Report): () => void {
  const gauges = new Map<Instrument, ObservableGauge>()
  for (const instrument of ALL) {
    if (instrument.kind === 'gauge') gauges.set(instrument, meter.createObservableGauge(instrument.name, optionsOf(instrument)))
  }
  const collect: Parameters<Meter['addBatchObservableCallback']>[0] = result => {
    try {
      for (const { instrument, labels, value } of readings(client, names)) {
        const found = gauges.get(instrument)
        if (found !== undefined) result.observe(found, value, labelAttributes(client.name, labels))
      }
    } catch (error) {
      report(error)
    }
  }
  const all = [...gauges.values()]
  meter.addBatchObservableCallback(collect, all)
  return () => { meter.removeBatchObservableCallback(collect, all) }
}

/** `http.client.request.duration`: of each attempt, as the conventions have it. */
function timeRequests(
  client: Client, meter: Meter, names: UpstreamNames, { buckets, methods }: TelemetryPolicy, report: Report,
): () => void {
  const duration = meter.createHistogram('http.client.request.duration', {
    unit: 's', description: 'Duration of HTTP client requests.', advice: { explicitBucketBoundaries: [...buckets] },
  })
  const { on, stop } = listen(client, report)
  on(channels.attemptEnd, event => {
    const { status, error, protocol } = event
    const server = serverAttributes(event.endpoint)
    const attributes: Attributes = {
      'http.request.method': methodLabel(event.method, methods),
      // Hosts beyond the bound are told as one; they have no port in common.
      ...(names.of(event.upstream) === OTHER ? { 'server.address': OTHER, 'url.scheme': server['url.scheme'] } : server),
      ...outcomeAttributes(status, error), ...(protocol === undefined ? {} : { 'network.protocol.version': protocol }),
    }
    duration.record(event.duration / 1_000, attributes)
  })
  return stop
}
