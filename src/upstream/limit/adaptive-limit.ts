import { averaged } from '../latency/ewma.ts'
import { BaselineLatency, type Use } from './baseline-latency.ts'

/**
 * What an attempt shows about the capacity of the upstream. It is not kept, so one mutable object can serve all
 * attempts.
 */
export interface Sample {
  /** How long it took, in ms. */
  latency: number
  /** The deadline of its call, in ms. */
  deadline: number
  /** Attempts in flight when it ended, itself included. */
  inFlight: number
  /** Whether it ended with a healthy reply. */
  healthy: boolean
  /** Whether it timed out, or the upstream asked for less load. */
  dropped: boolean
}

/** The limit before anything is known: a burst of first calls should not have to wait. */
const INITIAL = 100
/** Permits that are kept even if unused: enough for a thousand calls per second at 20 ms. */
const RESERVE = 20
/**
 * A reply that took more than this share of its deadline has waited in a queue of the upstream, and is almost useless.
 */
const LATE = 0.5
/** A latency above this multiple of the baseline counts as queueing. */
const TOLERANCE = 2
/** The factor by which the limit shrinks. */
const SHRINK = 0.75
/** How often the baseline and the use of the limit are reviewed, in ms. */
const SPAN = 500
/** Weight of one reply in the recent latency. */
const WEIGHT = 0.25
/** Above this share in use, the limit is what holds calls back. */
const FULL = 0.9
/**
 * Share of the needed limit that is granted while the baseline is measured; with all of it, a queue would stay as it
 * is.
 */
const DRAIN = 0.8
/**
 * A limit up to this multiple of what Little's law asks for causes no queue; it is also what is left to an upstream
 * that drops.
 */
const HEADROOM = 1.5

/**
 * Finds how many calls an upstream can take at a time.
 *
 * The limit grows by one with each good reply that took at most twice the baseline latency, while at least half of the
 * limit is in use. It shrinks by a quarter, at most once per round trip, when a reply took more than half of its
 * deadline or an attempt timed out. That is additive increase and multiplicative decrease (Chiu and Jain, 1989),
 * measured by the callers' deadlines.
 *
 * Three rules prevent harm. An upstream that is slow by nature is not throttled: a late reply must also have taken more
 * than twice the baseline. The limit does not fall below what the current good replies need (Little's law: their rate
 * times the baseline). And permits that have not been used recently are gradually given up, so that a sudden brown-out
 * does not start with the limit of a busier time.
 */
export class AdaptiveLimit {
  #max: number
  #limit: number
  readonly #baseline = new BaselineLatency()
  /** Average latency of the last few good replies, in ms. */
  #recent = 0
  #shrunkAt = -Infinity
  /** When the last good reply arrived. */
  #goodAt = -Infinity
  #spanAt = 0
  /** In the current span: good replies, and the most attempts in flight. */
  #good = 0
  #peak = 0
  /** Good replies per ms in the last span. */
  #rate = 0

  /** @param max - upper bound of the limit. */
  constructor(max: number) {
    this.#max = max
    this.#limit = Math.min(INITIAL, max)
  }

  /** How many calls may be in flight now: a whole number, at least 1. */
  get limit(): number {
    return Math.max(1, Math.floor(this.#limit))
  }

  /** The baseline latency in ms; 0 while it is unknown. */
  get baseline(): number {
    return this.#baseline.value
  }

  /** Applies a new upper bound. */
  tune(max: number): void {
    this.#max = max
    this.#limit = Math.min(this.#limit, max)
  }

  /** Records the outcome of an attempt. @returns whether it shows a queue at the upstream, or worse. */
  record({ latency, deadline, inFlight, healthy, dropped }: Sample, now: number): boolean {
    if (now - this.#spanAt >= SPAN) this.#endSpan(now)
    this.#peak = Math.max(this.#peak, inFlight)
    if (healthy) {
      this.#goodAt = now
      this.#good++
      this.#recent = averaged(this.#recent, latency, WEIGHT)
      this.#baseline.record(latency, now)
    }
    const tolerated = TOLERANCE * this.baseline
    const isLate = dropped || latency > Math.max(LATE * deadline, tolerated)
    const isQuick = Math.min(latency, this.#recent) <= tolerated
    if (isLate) this.#shrink(latency, now)
    // Without demand, growth is untested: it would prove wrong only when it is needed.
    else if (healthy && isQuick && !this.#baseline.isMeasured && inFlight >= this.#limit / 2) this.#grow()
    return isLate || (healthy && !isQuick)
  }

  #grow(): void {
    this.#limit = Math.min(this.#max, this.#limit + 1)
  }

  #shrink(latency: number, now: number): void {
    // Attempts that were in flight at the last shrink are slow for the same reason.
    if (now - this.#shrunkAt < latency) return
    this.#shrunkAt = now
    const needed = HEADROOM * this.#rate * this.baseline
    // If there was no good reply since this late attempt was sent, all attempts sent after it hang as well.
    const isSilent = this.baseline > 0 && latency > TOLERANCE * this.baseline && now - this.#goodAt >= latency
    this.#limit = Math.max(1, Math.min(this.#limit, Math.max(needed, isSilent ? 0 : this.#limit * SHRINK)))
  }

  #endSpan(now: number): void {
    this.#rate = this.#good / (now - this.#spanAt)
    this.#baseline.endSpan(this.#use, now)
    const used = Math.max(RESERVE, 2 * this.#peak)
    if (this.#peak > 0 && this.#limit > used) this.#limit = Math.max(used, this.#limit * SHRINK)
    if (this.#baseline.isMeasured) this.#limit = Math.min(this.#limit, DRAIN * this.#needed)
    this.#spanAt = now
    this.#good = this.#peak = 0
  }

  /** What the good replies need if no call waits: their rate times their latency (Little's law). */
  get #needed(): number {
    return Math.max(1, this.#rate * this.#baseline.lowest)
  }

  get #use(): Use {
    // A limit that is not above what is needed causes no queue.
    if (this.#peak >= FULL * this.#limit && this.#limit > HEADROOM * this.#needed) return 'all'
    return this.#peak < this.#limit / 2 ? 'little' : 'some'
  }
}
