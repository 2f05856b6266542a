import type { Attributes, Counter, Histogram, Meter, ObservableGauge } from '@opentelemetry/api'
import type { Client } from '../client/client.ts'
import { channels } from '../events.ts'
import { ALL, type Instrument } from '../telemetry/instruments.ts'
import { methodLabel, OTHER } from '../telemetry/labels.ts'
import { listen, observe, type OnError, type Sink } from '../telemetry/observe.ts'
import type { TelemetryPolicy } from '../telemetry/options.ts'
import { readings } from '../telemetry/readings.ts'
import { UpstreamNames } from '../telemetry/upstream-names.ts'
import { labelAttributes, outcomeAttributes, serverAttributes } from './attributes.ts'

/** Records the metrics of a client with a meter. @returns a function that stops it. */
export function meterClient(client: Client, meter: Meter, policy: TelemetryPolicy, onError: OnError): () => void {
  // A counter never removes a series, so a name must not be replaced by another one.
  const names = new UpstreamNames(client, policy.maxUpstreams, false)
  const { methods, buckets } = policy
  const stops = [
    observe(client, { names, methods, onError, sink: sinkOf(client, meter, policy) }),
    observeGauges(client, meter, names, onError),
    timeRequests(client, meter, { names, methods, buckets, onError }),
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
    forget() { /* A meter cannot remove a series; the number of names is bounded instead. */ },
  }
}

/** Registers the gauges, which are read when they are collected; a removed upstream disappears from them. */
function observeGauges(client: Client, meter: Meter, names: UpstreamNames, onError: OnError): () => void {
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
      onError(error)
    }
  }
  const all = [...gauges.values()]
  meter.addBatchObservableCallback(collect, all)
  return () => { meter.removeBatchObservableCallback(collect, all) }
}

interface Timing extends Pick<TelemetryPolicy, 'buckets' | 'methods'> {
  readonly names: UpstreamNames
  readonly onError: OnError
}

/** Records `http.client.request.duration`, for each attempt as the conventions require. */
function timeRequests(client: Client, meter: Meter, { names, methods, buckets, onError }: Timing): () => void {
  const duration = meter.createHistogram('http.client.request.duration', {
    unit: 's', description: 'Duration of HTTP client requests.', advice: { explicitBucketBoundaries: [...buckets] },
  })
  const { on, stop } = listen(client, onError)
  on(channels.attemptEnd, event => {
    const { status, error, protocol } = event
    const server = serverAttributes(event.endpoint)
    const attributes: Attributes = {
      'http.request.method': methodLabel(event.method, methods),
      // Hosts beyond the maximum are reported as one, without a port, as they have none in common.
      ...(names.of(event.upstream) === OTHER ? { 'server.address': OTHER, 'url.scheme': server['url.scheme'] } : server),
      ...outcomeAttributes(status, error), ...(protocol === undefined ? {} : { 'network.protocol.version': protocol }),
    }
    duration.record(event.duration / 1_000, attributes)
  })
  return stop
}
