import type { LimitPolicy } from '../../options/policy.ts'
import type { Priority } from '../../options/upstream-options.ts'
import { AdaptiveLimit, type Sample } from './adaptive-limit.ts'
import { Ewma } from '../latency/ewma.ts'
import { Permits, type Door } from './permits.ts'

/** A queue that has not been empty for so long, in ms, or for so many times the usual latency, is no burst. */
const PATIENCE = 100
const ROUND_TRIPS = 4
/** In so many round trips permits that double with each of them come back to whatever they were. */
const DOUBLINGS = 10

/** The limit of an upstream: its permits, as many as were given or as many as it is found to take. */
export class Limit {
  readonly permits: Permits
  /** How long permits have been held lately. */
  readonly #held = new Ewma()
  #adaptive: AdaptiveLimit | undefined
  /** Until when the upstream is on its way back, unless those who waited for it are through before, or it has had enough. */
  #returnsUntil = -Infinity

  constructor(policy: LimitPolicy | false, door?: Door) {
    this.permits = new Permits(Infinity, door)
    this.tune(policy, 0)
  }

  /** How long permits are held now, in ms; 0 while nobody knows. */
  get held(): number {
    return this.#held.usual
  }

  /** Takes new options; an adaptive limit keeps what it has found. */
  tune(policy: LimitPolicy | false, now: number): void {
    if (policy === false || !policy.adaptive) {
      this.#adaptive = undefined
      this.permits.setPatience(Infinity, now)
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
    if (this.#adaptive.record(sample, now) || this.permits.queued === 0) this.#returnsUntil = -Infinity
    this.#apply(this.#adaptive, now)
  }

  /**
   * Takes in the outcome of a probe. One that came back well says how long permits are held now, as nothing does that was held in
   * the outage; but the first may have been out since before the upstream was back, so its latency says nothing either.
   */
  probed({ healthy, latency }: Sample, now: number): void {
    const isFirst = !this.#isReturning(now)
    if (healthy) this.#held.restart(isFirst ? this.#adaptive?.usual ?? 0 : latency)
    if (this.#adaptive === undefined) return
    this.#returnsUntil = healthy ? now + DOUBLINGS * this.held : -Infinity
    this.#apply(this.#adaptive, now)
  }

  /**
   * How long a newcomer would wait for a permit, in ms: those before it and itself, each for its share of the time that a permit
   * is held (Little's law). While an upstream returns, the permits double with every round trip instead.
   */
  expectedWait(priority: Priority, now: number): number {
    const turns = (this.permits.ahead(priority, now) + 1) / this.permits.max
    return (this.#isReturning(now) ? Math.log2(1 + turns) : turns) * this.held
  }

  #isReturning(now: number): boolean {
    return now < this.#returnsUntil
  }

  #apply(adaptive: AdaptiveLimit, now: number): void {
    // While no latency is known, or permits only come back, nobody can say how long a burst takes.
    const isKnown = adaptive.usual > 0 && !this.#isReturning(now)
    this.permits.setPatience(isKnown ? Math.max(PATIENCE, ROUND_TRIPS * adaptive.usual) : Infinity, now)
    if (adaptive.limit !== this.permits.max) this.permits.resize(adaptive.limit, now)
  }
}
