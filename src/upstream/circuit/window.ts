const BUCKETS = 10
/** The counts of one bucket: settled calls, failures, slow calls. */
const COUNTS = 3

/** The counts of a {@link Window}. */
export interface WindowCounts {
  /** Settled calls that were evidence about the endpoint. */
  readonly total: number
  /** How many of them were unhealthy or throttled. */
  readonly failures: number
  /** How many of them took longer than the slow-call duration. */
  readonly slow: number
}

/**
 * Counts settled calls over a rolling window of ten buckets. Buckets expire when the window is read or written, so it
 * needs no timer; sums are maintained with each write, so a read is O(1).
 */
export class Window implements WindowCounts {
  total = 0
  failures = 0
  slow = 0
  readonly #counts: number[] = new Array<number>(BUCKETS * COUNTS).fill(0)
  #width: number
  #index: number

  /** @param span - length of the window in ms. @param now - the current time in ms. */
  constructor(span: number, now: number) {
    this.#width = span / BUCKETS
    this.#index = Math.floor(now / this.#width)
  }

  /** Counts one settled call. */
  record(failed: boolean, slow: boolean, now: number): void {
    this.advance(now)
    this.total++
    this.#add(0, 1)
    if (failed) {
      this.failures++
      this.#add(1, 1)
    }
    if (slow) {
      this.slow++
      this.#add(2, 1)
    }
  }

  /** Drops the buckets that are older than the window. If the clock steps back, none is dropped. */
  advance(now: number): void {
    const index = Math.floor(now / this.#width)
    // However long the gap, each bucket is dropped at most once.
    const gone = Math.min(BUCKETS, index - this.#index)
    for (let step = 1; step <= gone; step++) this.#drop((this.#index + step) % BUCKETS)
    if (gone > 0) this.#index = index
  }

  /** Changes the length of the window. All counts are kept, as if they were of now. */
  resize(span: number, now: number): void {
    this.advance(now)
    const { total, failures, slow } = this
    this.clear(now)
    this.#width = span / BUCKETS
    this.#index = Math.floor(now / this.#width)
    this.total = total
    this.failures = failures
    this.slow = slow
    this.#add(0, total)
    this.#add(1, failures)
    this.#add(2, slow)
  }

  /** Resets all counts. */
  clear(now: number): void {
    this.advance(now)
    for (let at = 0; at < BUCKETS; at++) this.#drop(at)
  }

  /** Adds to a count of the current bucket. */
  #add(count: number, more: number): void {
    const at = this.#index % BUCKETS * COUNTS + count
    this.#counts[at] = (this.#counts[at] ?? 0) + more
  }

  #drop(bucket: number): void {
    const at = bucket * COUNTS
    this.total -= this.#counts[at] ?? 0
    this.failures -= this.#counts[at + 1] ?? 0
    this.slow -= this.#counts[at + 2] ?? 0
    this.#counts.fill(0, at, at + COUNTS)
  }
}
