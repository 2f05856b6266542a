/**
 * How a circuit that has just closed takes up its load again: a few calls at a time, one more with each success, so that an
 * upstream that has only just come back is not knocked over. The load doubles with every round trip, as in TCP's slow start
 * (Jacobson, 1988); after `duration` ms it is over in any case.
 */
export class Ramp {
  #until = 0
  #max = 0
  #inFlight = 0

  /** Begins with `max` calls at a time. */
  start(max: number, duration: number, now: number): void {
    this.#until = now + duration
    this.#max = max
    this.#inFlight = 0
  }

  /** Whether it still holds calls back. */
  isActive(now: number): boolean {
    return now < this.#until
  }

  admits(now: number): boolean {
    return now >= this.#until || this.#inFlight < this.#max
  }

  /** Counts a call that was admitted. */
  enter(): void {
    this.#inFlight++
  }

  /** Counts a call that has ended. */
  leave(healthy: boolean): void {
    if (this.#inFlight > 0) this.#inFlight--
    if (healthy) this.#max++
  }
}
