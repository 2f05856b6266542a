const BUCKETS = 10

/** What a {@link Window} holds at one moment. */
export interface WindowCounts {
  /** Settled calls that were evidence about the endpoint. */
  readonly total: number
  /** How many of them were unhealthy or throttled. */
  readonly failures: number
  /** How many of them took longer than the slow-call duration. */
  readonly slow: number
}

/**
 * Counts settled calls over a rolling window of ten buckets. Buckets expire when the window is read or written, so
 * there is no timer; sums are kept as it goes, so a read is O(1) however many calls are in it.
 */
export class Window implements WindowCounts {
  total = 0
  failures = 0
  slow = 0
  #totals: number[] = new Array<number>(BUCKETS).fill(0)
  #failed: number[] = new Array<number>(BUCKETS).fill(0)
  #slowed: number[] = new Array<number>(BUCKETS).fill(0)
  #width: number
  #index: number

  /** @param span - length of the window in ms. @param now - the present, in ms. */
  constructor(span: number, now: number) {
    this.#width = span / BUCKETS
    this.#index = Math.floor(now / this.#width)
  }

  /** Counts one settled call. */
  record(failed: boolean, slow: boolean, now: number): void {
    this.advance(now)
    const at = this.#index % BUCKETS
    this.total++
    this.#totals[at] = (this.#totals[at] ?? 0) + 1
    if (failed) {
      this.failures++
      this.#failed[at] = (this.#failed[at] ?? 0) + 1
    }
    if (slow) {
      this.slow++
      this.#slowed[at] = (this.#slowed[at] ?? 0) + 1
    }
  }

  /** Drops the buckets that have left the window. A clock that steps back drops nothing. */
  advance(now: number): void {
    const index = Math.floor(now / this.#width)
    // However long the gap, at most every bucket is dropped once.
    const gone = Math.min(BUCKETS, index - this.#index)
    for (let step = 1; step <= gone; step++) this.#drop((this.#index + step) % BUCKETS)
    if (gone > 0) this.#index = index
  }

  /** Changes the length of the window; what was counted stays counted, as if it had just happened. */
  resize(span: number, now: number): void {
    this.advance(now)
    const { total, failures, slow } = this
    this.clear(now)
    this.#width = span / BUCKETS
    this.#index = Math.floor(now / this.#width)
    const at = this.#index % BUCKETS
    this.total = this.#totals[at] = total
    this.failures = this.#failed[at] = failures
    this.slow = this.#slowed[at] = slow
  }

  /** Forgets everything. */
  clear(now: number): void {
    this.advance(now)
    for (let at = 0; at < BUCKETS; at++) this.#drop(at)
  }

  #drop(at: number): void {
    this.total -= this.#totals[at] ?? 0
    this.failures -= this.#failed[at] ?? 0
    this.slow -= this.#slowed[at] ?? 0
    this.#totals[at] = this.#failed[at] = this.#slowed[at] = 0
  }
}
