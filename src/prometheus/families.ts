import { Counter, Gauge, Histogram, type OpenMetricsContentType, type Registry } from 'prom-client'
import { OptionError } from '../outcome/errors.ts'
import { ALL, prometheusName, type Instrument } from '../telemetry/instruments.ts'
import type { Reading } from '../telemetry/readings.ts'

/** A registry of either format. */
export type AnyRegistry = Registry | Registry<OpenMetricsContentType>

const PREFIX = 'breakwater_'

/** All metrics in one registry under one prefix, shared by the clients that report to it. */
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

  /** Whether all metrics are still in the registry, which other code may have cleared. */
  get registered(): boolean {
    const all = [...this.#counters.values(), ...this.#histograms.values(), ...this.#gauges.values()]
    const present = new Set(this.#names.map(name => this.#registry.getSingleMetric(name)))
    return all.every(metric => present.has(metric))
  }

  /** Adds a client with its gauges. @throws OptionError when a client of this name has joined already. */
  join(client: string, source: () => Reading[]): void {
    if (this.#sources.has(client)) {
      const sentence = `the registry already has a client named '${client}': give each client a \`name\` of its own`
      throw new OptionError('client', `'${client}'`, 'a client whose name no other in the registry has', sentence)
    }
    this.#sources.set(client, source)
  }

  /** Removes a client; with the last one the metrics are removed from the registry. */
  leave(client: string): void {
    if (!this.#sources.delete(client) || this.#sources.size > 0 || !this.registered) return
    for (const name of this.#names) this.#registry.removeSingleMetric(name)
  }

  /** The counter of an instrument. */
  counter(instrument: Instrument): Counter {
    return this.#counters.get(instrument) as Counter
  }

  /** The histogram of an instrument. */
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
        // How prom-client aggregates the gauges of the workers of a cluster.
        aggregator: unit.startsWith('{') ? 'sum' : 'average',
        collect: () => { this.#refresh() },
      }))
    }
  }

  /** Sets all gauges at once. prom-client calls this for each gauge of a scrape; only the first call has an effect. */
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

const familiesByRegistry = new WeakMap<AnyRegistry, Map<string, Families>>()

/** The metrics of a registry under a prefix, created if necessary. @throws OptionError */
export function familiesOf(registry: AnyRegistry, buckets: readonly number[], prefix: string = PREFIX): Families {
  const byPrefix = familiesByRegistry.get(registry) ?? new Map<string, Families>()
  familiesByRegistry.set(registry, byPrefix)
  const found = byPrefix.get(prefix)
  if (found?.registered === true) {
    if (String(found.buckets) === String(buckets)) return found
    const [given, expected] = [buckets, found.buckets].map(bounds => `[${bounds.join(', ')}]`) as [string, string]
    throw new OptionError('buckets', given, expected, `\`buckets\` must be ${expected}, like those already in the registry, got ${given}`)
  }
  const created = new Families(registry, prefix, buckets)
  byPrefix.set(prefix, created)
  return created
}
