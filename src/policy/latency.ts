const WEIGHT = 0.1

/** The usual latency of an endpoint: an exponentially weighted moving average of its healthy replies, in ms. */
export class Latency {
  #average = 0

  /** The usual latency in ms; 0 while nothing is known. */
  get usual(): number {
    return this.#average
  }

  /** Takes in one healthy reply. */
  record(ms: number): void {
    this.#average = this.#average === 0 ? ms : this.#average + WEIGHT * (ms - this.#average)
  }

  /** Takes what was known for void: this is how long it takes now. */
  restart(ms: number): void {
    this.#average = ms
  }
}
