import type { Timer } from '../../clock.ts'
import type { LimitPolicy } from '../../options/policy.ts'
import type { Priority } from '../../options/upstream-options.ts'
import { Ewma } from '../latency/ewma.ts'
import { AdaptiveLimit, type Sample } from './adaptive-limit.ts'
import { Lent } from './lent-permits.ts'
import { Permits, type Gate } from './permits.ts'

/**
 * Queues that stay non-empty for this long, in ms, or for this many baseline latencies if that is longer, are overload.
 */
const PATIENCE = 100
const ROUND_TRIPS = 4
/** How often to look for permits while calls wait for one, in ms. */
export const LOOK = 50
/** The limit is stuck when no permit has been returned for this long, in ms, or for this many times the hold time. */
const STUCK = 1_000
const STUCK_TURNS = 4
/** Permits that double with every round trip have recovered to any number after this many. */
const DOUBLINGS = 10

/** The limit of an upstream: its permits, whose number is fixed or adapts to what the upstream can take. */
export class Limit {
  readonly permits: Permits
  readonly lent: Lent
  /** The timer for the next look for permits, while calls wait for one. */
  looking: Timer | undefined
  readonly #holdTime = new Ewma()
  #adaptive: AdaptiveLimit | undefined
  /** Until when the upstream is recovering; earlier if the queue empties or the upstream turns out to have a queue. */
  #recoversUntil = -Infinity

  constructor(policy: LimitPolicy | false, gate: Gate) {
    this.permits = new Permits(Infinity, gate)
    this.lent = new Lent(this.permits)
    this.tune(policy, 0)
  }

  /** How long permits are currently held, in ms; 0 while that is unknown. */
  get holdTime(): number {
    return this.#holdTime.average
  }

  /** Applies new options; an adaptive limit keeps what it has learned. */
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

  stopLooking(): void {
    this.looking?.cancel()
    this.looking = undefined
  }

  /** Looks for permits for waiting calls: those of calls that wait for their own caller, and one more if the limit is stuck. */
  look(now: number): void {
    this.lent.reclaim(now)
    this.permits.relieve(Math.max(STUCK, STUCK_TURNS * this.holdTime) / LOOK, now)
  }

  /** Records the outcome of an attempt. */
  learn(sample: Sample, now: number): void {
    this.#holdTime.record(sample.latency)
    if (this.#adaptive === undefined) return
    if (this.#adaptive.record(sample, now) || this.permits.queued === 0) this.#recoversUntil = -Infinity
    this.#apply(this.#adaptive, now)
  }

  /**
   * Records the outcome of a probe. A successful probe shows how long permits are held now; hold times from the outage
   * do not. But the first probe may have been sent before the upstream recovered, so its latency is not used either.
   */
  probed({ healthy, latency }: Sample, now: number): void {
    const isFirst = !this.#isRecovering(now)
    if (healthy) this.#holdTime.restart(isFirst ? this.#adaptive?.baseline ?? 0 : latency)
    if (this.#adaptive === undefined) return
    this.#recoversUntil = healthy ? now + DOUBLINGS * this.holdTime : -Infinity
    this.#apply(this.#adaptive, now)
  }

  /**
   * How long a new call would wait for a permit, in ms: one share of the hold time for each call ahead and one for
   * itself (Little's law). While the upstream recovers, permits double with every round trip instead.
   */
  expectedWait(priority: Priority, now: number): number {
    const turns = (this.permits.ahead(priority, now) + 1) / this.permits.max
    return (this.#isRecovering(now) ? Math.log2(1 + turns) : turns) * this.holdTime
  }

  #isRecovering(now: number): boolean {
    return now < this.#recoversUntil
  }

  #apply(adaptive: AdaptiveLimit, now: number): void {
    // Without a known latency, or while permits recover, a burst may take any time.
    const isKnown = adaptive.baseline > 0 && !this.#isRecovering(now)
    this.permits.setPatience(isKnown ? Math.max(PATIENCE, ROUND_TRIPS * adaptive.baseline) : Infinity, now)
    if (adaptive.limit !== this.permits.max) this.permits.resize(adaptive.limit, now)
  }
}
