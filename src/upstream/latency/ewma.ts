const WEIGHT = 0.1

/** An exponentially weighted moving average, moved on by one value; 0 is none yet. */
export const averaged = (average: number, value: number, weight: number): number =>
  average === 0 ? value : average + weight * (value - average)

/** The usual latency of an endpoint: an exponentially weighted moving average of its healthy replies, in ms. */
export class Ewma {
  #average = 0

  /** The usual latency in ms; 0 while nothing is known. */
  get usual(): number {
    return this.#average
  }

  /** Takes in one healthy reply. */
  record(ms: number): void {
    this.#average = averaged(this.#average, ms, WEIGHT)
  }

  /** Takes what was known for void: this is how long it takes now. */
  restart(ms: number): void {
    this.#average = ms
  }
}
