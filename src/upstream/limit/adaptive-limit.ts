import { averaged } from '../latency/ewma.ts'
import { BaselineLatency, type Use } from './baseline-latency.ts'

/** What an attempt tells about the upstream's capacity; nobody keeps it, so one does for all. */
export interface Sample {
  /** How long it took, in ms. */
  latency: number
  /** How long its caller could wait, in ms. */
  deadline: number
  /** Attempts in flight as it ended, itself included. */
  inFlight: number
  /** Whether it came back well. */
  healthy: boolean
  /** Whether time ran out on it, or the upstream asked for less. */
  dropped: boolean
}

/** Where it starts, while nothing is known: a burst of first calls should not have to wait. */
const INITIAL = 100
/** What it keeps in reserve however little is used: enough for a thousand calls a second at 20 ms. */
const RESERVE = 20
/** A reply that takes more than this share of its deadline has waited in a queue of the upstream's, and is soon useless. */
const LATE = 0.5
/** How far latency may be above the usual before it counts as queueing. */
const TOLERANCE = 2
const SHRINK = 0.75
/** How often the usual is looked over, in ms. */
const SPAN = 500
/** How much each reply counts in the latency of late. */
const WEIGHT = 0.25
/** With so much of it in use the limit is what holds calls back. */
const FULL = 0.9
/** How much of that it is left with while the usual is measured: with all of it, a queue would stay as it is. */
const DRAIN = 0.8
/** How much more than Little's law asks for is still no queue; so much is left to an upstream that drops. */
const HEADROOM = 1.5

/**
 * Finds how many calls an upstream can take at a time.
 *
 * It grows by one with every good reply that took no more than twice the usual, while at least half of it is in use; and it
 * shrinks by a quarter, once a round trip, when a reply took more than half of what its caller could wait, or time ran out.
 * That is additive increase and multiplicative decrease (Chiu and Jain, 1989) with the callers' deadlines for a measure.
 *
 * Three things keep it from doing harm. An upstream that is slow by nature is not throttled: to count, a latency must also be
 * twice the usual. It never falls below what the good replies that do come need (Little's law: their rate times their usual
 * latency). And room that nobody used lately is given up slowly, so that a sudden brown-out does not meet with a limit from
 * busier days.
 */
export class AdaptiveLimit {
  #max: number
  #limit: number
  readonly #usual = new BaselineLatency()
  /** The latency of the last few good replies. */
  #recent = 0
  #shrunkAt = -Infinity
  /** When a good reply last came. */
  #goodAt = -Infinity
  #spanAt = 0
  /** In this span: good replies, and the most in flight. */
  #good = 0
  #peak = 0
  /** Good replies per ms in the last span. */
  #rate = 0

  /** @param max - the limit is never above it. */
  constructor(max: number) {
    this.#max = max
    this.#limit = Math.min(INITIAL, max)
  }

  /** Calls that may be in flight now: a whole number, at least 1. */
  get limit(): number {
    return Math.max(1, Math.floor(this.#limit))
  }

  /** The usual latency in ms; 0 while nothing is known. */
  get usual(): number {
    return this.#usual.value
  }

  /** Takes a new bound. */
  tune(max: number): void {
    this.#max = max
    this.#limit = Math.min(this.#limit, max)
  }

  /** Takes in the outcome of an attempt. @returns whether there is a queue, or worse. */
  record({ latency, deadline, inFlight, healthy, dropped }: Sample, now: number): boolean {
    if (now - this.#spanAt >= SPAN) this.#endSpan(now)
    this.#peak = Math.max(this.#peak, inFlight)
    if (healthy) {
      this.#goodAt = now
      this.#good++
      this.#recent = averaged(this.#recent, latency, WEIGHT)
      this.#usual.record(latency, now)
    }
    const tolerated = TOLERANCE * this.usual
    const isLate = dropped || latency > Math.max(LATE * deadline, tolerated)
    const isQuick = Math.min(latency, this.#recent) <= tolerated
    if (isLate) this.#shrink(latency, now)
    // Growth that nobody asks for would only be found wrong when it is needed.
    else if (healthy && isQuick && !this.#usual.isMeasured && inFlight >= this.#limit / 2) this.#grow()
    return isLate || (healthy && !isQuick)
  }

  #grow(): void {
    this.#limit = Math.min(this.#max, this.#limit + 1)
  }

  #shrink(latency: number, now: number): void {
    // What was in flight when it shrank will still come back slow: that is the same news.
    if (now - this.#shrunkAt < latency) return
    this.#shrunkAt = now
    const needed = HEADROOM * this.#rate * this.usual
    // If it is late and nothing has come back well since it was sent, all that was sent after it hangs as well.
    const isSilent = this.usual > 0 && latency > TOLERANCE * this.usual && now - this.#goodAt >= latency
    this.#limit = Math.max(1, Math.min(this.#limit, Math.max(needed, isSilent ? 0 : this.#limit * SHRINK)))
  }

  #endSpan(now: number): void {
    this.#rate = this.#good / (now - this.#spanAt)
    this.#usual.endSpan(this.#use, now)
    const used = Math.max(RESERVE, 2 * this.#peak)
    if (this.#peak > 0 && this.#limit > used) this.#limit = Math.max(used, this.#limit * SHRINK)
    if (this.#usual.isMeasured) this.#limit = Math.min(this.#limit, DRAIN * this.#needed)
    this.#spanAt = now
    this.#good = this.#peak = 0
  }

  /** What the good replies need, if nothing waits: their rate times their latency (Little's law). */
  get #needed(): number {
    return Math.max(1, this.#rate * this.#usual.lowest)
  }

  get #use(): Use {
    // With no more than is needed there is no queue of ours.
    if (this.#peak >= FULL * this.#limit && this.#limit > HEADROOM * this.#needed) return 'all'
    return this.#peak < this.#limit / 2 ? 'little' : 'some'
  }
}
