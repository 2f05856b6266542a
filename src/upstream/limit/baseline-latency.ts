/** Replies whose mean is a latency; fewer say too little, and to wait for more would hold back an upstream that is well again. */
const ENOUGH = 8
/** How fast it follows a rise, per span. */
const RISE = 1.05
/** The same while the upstream has room: then it is no queue of ours. */
const RISE_WITH_ROOM = 1.25
/** How fast the lowest latency of the last minutes is forgotten, per span. */
const FORGET = 1.005
/** How many spans there are between two measurements. */
const MEASURE_EVERY = 10
/** A latency that many times the usual is more than noise. */
const SLOWER = 1.5

/** How much of the limit was in use in a span. */
export type Use = 'little' | 'some' | 'all'

/**
 * How long good replies take when there is no queue, in ms. A mean that is lower is taken at once, one that is higher by and by:
 * it may be a queue.
 *
 * If it is, it may be the upstream's or our own. So while the limit is what holds calls back, a rise is looked into now and then:
 * for a moment less is sent than the good replies need, as BBR does to find the round trip without a queue (Cardwell et al., CACM
 * 2017). If replies take less time then, the queue was ours.
 */
export class BaselineLatency {
  /** The usual latency in ms; 0 while nothing is known. */
  value = 0
  /** Whether less is to be sent now, as it is being measured. */
  isMeasured = false
  /** The lowest mean of the last minutes. */
  lowest = 0
  #since = 0
  #count = 0
  #sum = 0
  #spans = 0

  /** Takes in the latency of a good reply. */
  record(latency: number, now: number): void {
    // What was sent before has met the queue that is to go.
    if (this.isMeasured && now - latency < this.#since) return
    this.#count++
    this.#sum += latency
    // The very first come before a queue can have grown.
    if (this.lowest === 0) this.value = this.#count === 1 ? latency : Math.min(this.value, latency)
    if ((this.isMeasured || this.lowest === 0) && this.#count >= ENOUGH) this.#learn('some')
  }

  /** A span of time is over. @param use - how much of the limit was in use in it. */
  endSpan(use: Use, now: number): void {
    this.#spans++
    const isRise = this.#count >= ENOUGH && this.#learn(use)
    this.isMeasured = isRise && use === 'all' && this.#spans >= MEASURE_EVERY
    if (!this.isMeasured) return
    this.#spans = 0
    this.#since = now
  }

  /** @returns whether the mean is more above the usual than noise is */
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
