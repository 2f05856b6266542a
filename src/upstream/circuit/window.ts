const BUCKETS = 10
/** Counts of a bucket, one after the other: settled calls, failures, slow ones. */
const COUNTS = 3

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
  readonly #counts: number[] = new Array<number>(BUCKETS * COUNTS).fill(0)
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
    this.total = total
    this.failures = failures
    this.slow = slow
    this.#add(0, total)
    this.#add(1, failures)
    this.#add(2, slow)
  }

  /** Forgets everything. */
  clear(now: number): void {
    this.advance(now)
    for (let at = 0; at < BUCKETS; at++) this.#drop(at)
  }

  /** Adds to one of the counts of the bucket of now. */
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
