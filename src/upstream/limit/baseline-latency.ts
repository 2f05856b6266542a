/**
 * How many replies make a mean. Fewer show too little; with more, an upstream that has just recovered would be held
 * back.
 */
const ENOUGH = 8
/** How fast the baseline follows a rise, per span. */
const RISE = 1.05
/** The same while the upstream has free capacity: then this client causes no queue. */
const RISE_WITH_ROOM = 1.25
/** How fast the lowest mean of recent minutes is forgotten, per span. */
const FORGET = 1.005
/** Spans between two measurements. */
const MEASURE_EVERY = 10
/** A mean above this multiple of the baseline is more than noise. */
const SLOWER = 1.5

/** How much of the limit was in use in a span. */
export type Use = 'little' | 'some' | 'all'

/**
 * How long good replies of an upstream take when there is no queue, in ms. The baseline falls to a lower mean
 * immediately, and rises to a higher one gradually, because that may be a queue.
 *
 * The queue may be the upstream's own, or this client's. So while the limit is what holds calls back, a rise is checked
 * at intervals: for a moment less is sent than the good replies need, as BBR does to find the round trip without a
 * queue (Cardwell et al., CACM 2017). If replies get faster, this client caused the queue.
 */
export class BaselineLatency {
  /** The baseline in ms; 0 while it is unknown. */
  value = 0
  /** Whether it is being measured, so that less must be sent. */
  isMeasured = false
  /** The lowest mean of recent minutes, in ms. */
  lowest = 0
  #since = 0
  #count = 0
  #sum = 0
  #spans = 0

  /** Records the latency of a good reply. */
  record(latency: number, now: number): void {
    // An attempt that was sent before the measurement has met the queue that is to drain.
    if (this.isMeasured && now - latency < this.#since) return
    this.#count++
    this.#sum += latency
    // The first replies arrive before a queue can have grown.
    if (this.lowest === 0) this.value = this.#count === 1 ? latency : Math.min(this.value, latency)
    if ((this.isMeasured || this.lowest === 0) && this.#count >= ENOUGH) this.#learn('some')
  }

  /** Ends a span of time. @param use - how much of the limit was in use during it. */
  endSpan(use: Use, now: number): void {
    this.#spans++
    const isRise = this.#count >= ENOUGH && this.#learn(use)
    this.isMeasured = isRise && use === 'all' && this.#spans >= MEASURE_EVERY
    if (!this.isMeasured) return
    this.#spans = 0
    this.#since = now
  }

  /** Adjusts the baseline to the mean. @returns whether the mean is above it by more than noise. */
  #learn(use: Use): boolean {
    const mean = this.#sum / this.#count
    const isRise = mean > SLOWER * this.value
    this.#count = this.#sum = 0
    this.isMeasured = false
    this.lowest = Math.min(mean, (this.lowest || mean) * FORGET)
    this.value = Math.min(mean, this.value * (use === 'little' ? RISE_WITH_ROOM : RISE))
    return isRise
  }
}
