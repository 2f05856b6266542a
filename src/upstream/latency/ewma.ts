const WEIGHT = 0.1

/** The next value of an exponentially weighted moving average; 0 stands for no value yet. */
export const averaged = (average: number, value: number, weight: number): number =>
  average === 0 ? value : average + weight * (value - average)

/** The average latency of an endpoint: an exponentially weighted moving average over its healthy replies, in ms. */
export class Ewma {
  #average = 0

  /** The average in ms; 0 before the first value. */
  get average(): number {
    return this.#average
  }

  /** Adds the latency of one healthy reply. */
  record(ms: number): void {
    this.#average = averaged(this.#average, ms, WEIGHT)
  }

  /** Discards the history and starts from this value. */
  restart(ms: number): void {
    this.#average = ms
  }
}
