/**
 * How long calls keep away because the upstream asked for it (Retry-After). If calls that were in flight go on coming back well
 * meanwhile, it asked for less, and not for nothing at all: then it is over, and less is the limit's matter.
 */
export class RetryAfterHold {
  #until = 0
  #served = 0

  isActive(now: number): boolean {
    return now < this.#until
  }

  /** How long it still lasts, in ms. */
  left(now: number): number {
    return Math.max(0, this.#until - now)
  }

  /** Begins, or goes on for at least `ms`. */
  begin(ms: number, now: number): void {
    if (!this.isActive(now)) this.#served = 0
    this.#until = Math.max(this.#until, now + ms)
  }

  /** Takes in that a call came back well; `enough` of them end it. */
  served(enough: number, now: number): void {
    if (this.isActive(now) && ++this.#served >= enough) this.end()
  }

  end(): void {
    this.#until = 0
  }
}
