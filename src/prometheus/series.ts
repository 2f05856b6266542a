import type { Instrument } from '../telemetry/instruments.ts'
import type { Labels } from '../telemetry/labels.ts'
import type { Sink } from '../telemetry/observe.ts'
import type { Families } from './families.ts'

/** A series: a metric with its labels. */
interface Series {
  readonly metric: { remove(labels: Labels): void }
  readonly labels: Labels
}

/** A {@link Sink} that tracks its series, so that they can be removed. */
export interface SeriesSink extends Sink {
  /** Removes all series. */
  clear(): void
}

/** Creates the sink for the counters and histograms of one client. */
export function seriesIn(families: Families, client: string): SeriesSink {
  const byUpstream = new Map<string, Map<string, Series>>()

  /** Tracks a series. @returns its labels. */
  const track = (instrument: Instrument, given: Labels, metric: Series['metric']): Labels => {
    const upstream = given['upstream'] as string
    let known = byUpstream.get(upstream)
    if (known === undefined) byUpstream.set(upstream, known = new Map<string, Series>())
    const key = [instrument.name, ...Object.values(given)].join('\0')
    let series = known.get(key)
    if (series === undefined) known.set(key, series = { metric, labels: { client, ...given } })
    return series.labels
  }
  const forget = (upstream: string): void => {
    for (const { metric, labels } of byUpstream.get(upstream)?.values() ?? []) metric.remove(labels)
    byUpstream.delete(upstream)
  }
  return {
    count(instrument, labels) {
      const counter = families.counter(instrument)
      counter.inc(track(instrument, labels, counter))
    },
    record(instrument, labels, seconds) {
      const histogram = families.histogram(instrument)
      histogram.observe(track(instrument, labels, histogram), seconds)
    },
    forget,
    clear() {
      for (const upstream of [...byUpstream.keys()]) forget(upstream)
    },
  }
}
