/**
 * Limits the load of a circuit that has just closed: a few calls at a time, and one more with each success, so that an
 * upstream that has only just recovered is not overloaded. The load doubles with every round trip, as in TCP's slow
 * start (Jacobson, 1988), and the ramp ends after `duration` ms at the latest.
 */
export class Ramp {
  #until = 0
  #max = 0
  #inFlight = 0

  /** Starts with `max` calls at a time. */
  start(max: number, duration: number, now: number): void {
    this.#until = now + duration
    this.#max = max
    this.#inFlight = 0
  }

  /** Whether it still limits calls. */
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
