/** How many latencies are kept. */
const SAMPLES = 256
/** The percentile is recomputed after this many latencies. */
const STRIDE = 16

/** A percentile of recent latencies: exact over a ring of 256, recomputed every 16, so that recording is cheap. */
export class Percentile {
  readonly share: number
  readonly #ring = new Float64Array(SAMPLES)
  #next = 0
  #fresh = 0
  #value = Infinity
  /** How many latencies were recorded in total. */
  count = 0

  /** @param share - which percentile, as a ratio: 0.95 is the 95th. */
  constructor(share: number) {
    this.share = share
  }

  /** The percentile in ms; Infinity before the first latency. */
  get value(): number {
    if (this.#fresh >= STRIDE || (this.#value === Infinity && this.count > 0)) this.#find()
    return this.#value
  }

  /** Adds one latency, in ms. */
  record(ms: number): void {
    this.#ring[this.#next] = ms
    this.#next = (this.#next + 1) % SAMPLES
    this.#fresh++
    this.count++
  }

  #find(): void {
    const sorted = this.#ring.slice(0, Math.min(this.count, SAMPLES)).sort()
    this.#value = sorted[Math.ceil(this.share * sorted.length) - 1] ?? Infinity
    this.#fresh = 0
  }
}
