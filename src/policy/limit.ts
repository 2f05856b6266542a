import type { LimitPolicy, Priority } from '../options.ts'
import { AdaptiveLimit, type Sample } from './adaptive-limit.ts'
import { Latency } from './latency.ts'
import { Permits } from './permits.ts'

/** A queue that has not been empty for so long, in ms, or for so many times the usual latency, is no burst. */
const PATIENCE = 100
const ROUND_TRIPS = 4

/** The limit of an upstream: its permits, as many as were given or as many as it is found to take. */
export class Limit {
  readonly permits: Permits
  /** How long permits have been held lately. */
  readonly #held = new Latency()
  #adaptive: AdaptiveLimit | undefined

  constructor(policy: LimitPolicy | false) {
    this.permits = new Permits(Infinity)
    this.tune(policy, 0)
  }

  /** The time an attempt needs when all is well, in ms; 0 while nobody knows. */
  get usual(): number {
    return this.#adaptive?.usual ?? 0
  }

  /** Takes new options; an adaptive limit keeps what it has found. */
  tune(policy: LimitPolicy | false, now: number): void {
    if (policy === false || !policy.adaptive) {
      this.#adaptive = undefined
      this.permits.patience = Infinity
      this.permits.resize(policy === false ? Infinity : policy.max, now)
      return
    }
    this.#adaptive ??= new AdaptiveLimit(policy.max)
    this.#adaptive.tune(policy.max)
    this.#apply(this.#adaptive, now)
  }

  /** Takes in the outcome of an attempt. */
  learn(sample: Sample, now: number): void {
    this.#held.record(sample.latency)
    if (this.#adaptive === undefined) return
    this.#adaptive.record(sample, now)
    this.#apply(this.#adaptive, now)
  }

  /**
   * How long a newcomer would wait for a permit, in ms: those before it and itself, each for its share of the time that a permit
   * is held (Little's law).
   */
  expectedWait(priority: Priority, now: number): number {
    return (this.permits.ahead(priority, now) + 1) * this.#held.usual / this.permits.max
  }

  #apply(adaptive: AdaptiveLimit, now: number): void {
    // While no latency is known, nobody can say what takes long.
    this.permits.patience = adaptive.usual === 0 ? Infinity : Math.max(PATIENCE, ROUND_TRIPS * adaptive.usual)
    if (adaptive.limit !== this.permits.max) this.permits.resize(adaptive.limit, now)
  }
}
