import { Counter, Gauge, Histogram, type OpenMetricsContentType, type Registry } from 'prom-client'
import { OptionError } from '../outcome/errors.ts'
import { ALL, prometheusName, type Instrument } from '../telemetry/instruments.ts'
import type { Reading } from '../telemetry/readings.ts'

/** A registry of either format. */
export type AnyRegistry = Registry | Registry<OpenMetricsContentType>

const PREFIX = 'breakwater_'

/** All metrics in one registry under one prefix; clients join and leave. */
export class Families {
  readonly buckets: readonly number[]
  readonly #registry: AnyRegistry
  readonly #names: readonly string[]
  readonly #counters = new Map<Instrument, Counter>()
  readonly #histograms = new Map<Instrument, Histogram>()
  readonly #gauges = new Map<Instrument, Gauge>()
  readonly #sources = new Map<string, () => Reading[]>()
  #isFresh = false

  constructor(registry: AnyRegistry, prefix: string, buckets: readonly number[]) {
    this.#registry = registry
    this.buckets = buckets
    this.#names = ALL.map(instrument => prometheusName(instrument).replace(PREFIX, prefix))
    const taken = this.#names.find(name => registry.getSingleMetric(name) !== undefined)
    if (taken !== undefined) {
      const sentence = `prefix '${prefix}' cannot be used: the registry already has a metric ${taken}`
      throw new OptionError('prefix', `'${prefix}'`, 'a prefix that no metric of the registry has', sentence)
    }
    ALL.forEach((instrument, index) => { this.#make(instrument, this.#names[index] as string) })
  }

  /** Whether all of them are in the registry still; somebody may have cleared it. */
  get registered(): boolean {
    const all = [...this.#counters.values(), ...this.#histograms.values(), ...this.#gauges.values()]
    const present = new Set(this.#names.map(name => this.#registry.getSingleMetric(name)))
    return all.every(metric => present.has(metric))
  }

  /** Reads gauges from here too. @throws OptionError when a client of this name has joined already. */
  join(client: string, source: () => Reading[]): void {
    if (this.#sources.has(client)) {
      const sentence = `the registry already has a client named '${client}': give each client a \`name\` of its own`
      throw new OptionError('client', `'${client}'`, 'a client whose name no other in the registry has', sentence)
    }
    this.#sources.set(client, source)
  }

  /** Reads no more from there; the last one takes the metrics with it. */
  leave(client: string): void {
    if (!this.#sources.delete(client) || this.#sources.size > 0 || !this.registered) return
    for (const name of this.#names) this.#registry.removeSingleMetric(name)
  }

  /** A metric to count with. */
  counter(instrument: Instrument): Counter {
    return this.#counters.get(instrument) as Counter
  }

  /** A metric for durations. */
  histogram(instrument: Instrument): Histogram {
    return this.#histograms.get(instrument) as Histogram
  }

  #make(instrument: Instrument, name: string): void {
    const { kind, help, labels, unit } = instrument
    const common = { name, help, labelNames: ['client', ...labels], registers: [this.#registry] }
    if (kind === 'counter') this.#counters.set(instrument, new Counter(common))
    else if (kind === 'histogram') this.#histograms.set(instrument, new Histogram({ ...common, buckets: [...this.buckets] }))
    else {
      this.#gauges.set(instrument, new Gauge({
        ...common,
        // What a cluster makes of the gauges of its workers.
        aggregator: unit.startsWith('{') ? 'sum' : 'average',
        collect: () => { this.#refresh() },
      }))
    }
  }

  /** Each gauge asks as a scrape comes to it; all of one scrape are set at once. */
  #refresh(): void {
    if (this.#isFresh) return
    this.#isFresh = true
    queueMicrotask(() => { this.#isFresh = false })
    for (const gauge of this.#gauges.values()) gauge.reset()
    for (const [client, source] of this.#sources) {
      for (const { instrument, labels, value } of source()) this.#gauges.get(instrument)?.set({ client, ...labels }, value)
    }
  }
}

const known = new WeakMap<AnyRegistry, Map<string, Families>>()

/** The metrics of a registry under a prefix: those there are, or new ones. @throws OptionError */
export function familiesOf(registry: AnyRegistry, buckets: readonly number[], prefix: string = PREFIX): Families {
  const byPrefix = known.get(registry) ?? new Map<string, Families>()
  known.set(registry, byPrefix)
  const found = byPrefix.get(prefix)
  if (found?.registered === true) {
    if (String(found.buckets) === String(buckets)) return found
    const [given, expected] = [buckets, found.buckets].map(bounds => `[${bounds.join(', ')}]`) as [string, string]
    throw new OptionError('buckets', given, expected, `\`buckets\` must be ${expected}, like those already in the registry, got ${given}`)
  }
  const made = new Families(registry, prefix, buckets)
  byPrefix.set(prefix, made)
  return made
}
