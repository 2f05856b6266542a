import type { Random } from '../clock.ts'
import type { HealthSettings } from './options.ts'

/** The options that the rule uses. */
export type OutageSettings = Pick<HealthSettings, 'outageAfter' | 'recoveryAfter' | 'unreadyShare' | 'maxUnready'>

/**
 * Decides when a replica is unready because of a critical upstream.
 *
 * A replica sees whether the upstream fails for itself, but not whether it fails for the other replicas. If only this replica is
 * affected, it should become unready; if all are, none should, because that would take the service down for every caller. As all
 * replicas decide by the same rule, none can tell the two cases apart. So each is unready only during its turn: for `maxUnready`
 * in every `maxUnready / unreadyShare`. Each replica draws the position of its turn at random, once, so that at any moment about
 * `unreadyShare` of them are unready. Drawing again for each outage would not work: an unready replica gets no calls, so for it
 * the outage seems to end and begin again, and it would have more turns than others.
 *
 * It has no timer: its state only changes when it is updated.
 */
export class Outage {
  readonly #settings: OutageSettings
  /** The position of this replica's turn in the cycle, 0–1. */
  readonly #position: number
  /** When calls were first refused. */
  #since: number | undefined
  /** When calls were last refused. */
  #lastAt = 0

  constructor(settings: OutageSettings, random: Random) {
    this.#settings = settings
    this.#position = random()
  }

  /** Records whether the upstream refuses calls now. */
  update(refuses: boolean, now: number): void {
    if (refuses) {
      this.#since ??= now
      this.#lastAt = now
    } else if (now - this.#lastAt >= this.#settings.recoveryAfter) this.#since = undefined
  }

  /** Whether calls have been refused for long enough. A flapping upstream is one outage. */
  get isOutage(): boolean {
    return this.#since !== undefined && this.#lastAt - this.#since >= this.#settings.outageAfter
  }

  /** Whether it is this replica's turn to be unready. */
  isTurn(now: number): boolean {
    if (!this.isOutage) return false
    const { maxUnready, unreadyShare } = this.#settings
    const cycle = maxUnready / unreadyShare
    return (now + this.#position * cycle) % cycle < maxUnready
  }
}
