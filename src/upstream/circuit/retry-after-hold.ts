/**
 * The time for which a Retry-After keeps calls away from an endpoint. It ends early if calls that were in flight keep
 * succeeding: then the endpoint asked for less load, not for none, and reducing load is the limit's job.
 */
export class RetryAfterHold {
  #until = 0
  #served = 0

  isActive(now: number): boolean {
    return now < this.#until
  }

  /** The time that remains, in ms. */
  left(now: number): number {
    return Math.max(0, this.#until - now)
  }

  /** Starts, or extends to at least `ms` from now. */
  begin(ms: number, now: number): void {
    if (!this.isActive(now)) this.#served = 0
    this.#until = Math.max(this.#until, now + ms)
  }

  /** Counts a call that succeeded during the hold; `enough` of them end it. */
  served(enough: number, now: number): void {
    if (this.isActive(now) && ++this.#served >= enough) this.end()
  }

  end(): void {
    this.#until = 0
  }
}
