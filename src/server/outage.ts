import type { Random } from '../clock.ts'
import type { HealthSettings } from './options.ts'

/** What the rule needs of the options. */
export type OutageSettings = Pick<HealthSettings, 'outageAfter' | 'recoveryAfter' | 'unreadyShare' | 'maxUnready'>

/**
 * Decides when a replica is unready for a critical upstream's sake.
 *
 * A replica sees that the upstream refuses it, but not whether it refuses the others too. If it alone is cut off, it
 * should leave; if all are, nobody should, as nobody could do better. What all of them see alike they decide alike, so
 * no rule can do both, and the harm differs: a service without a single ready replica is dark for every caller. So
 * each leaves for its turn only, a stretch of `maxUnready` in every `maxUnready / unreadyShare`. Each replica draws once,
 * by lot, where its turn lies: at any moment about `unreadyShare` of them are out. Not once per outage: one that is out
 * is sent no calls, so to it the outage seems to end and begin anew, and it would have more turns than the others.
 *
 * It knows what it is shown: no timer, nothing between two looks.
 */
export class Outage {
  readonly #settings: OutageSettings
  /** Where in its cycle this replica stands, 0–1. */
  readonly #lot: number
  /** When calls were first seen to be refused. */
  #since: number | undefined
  /** When they were last seen to be. */
  #seen = 0

  constructor(settings: OutageSettings, random: Random) {
    this.#settings = settings
    this.#lot = random()
  }

  /** Takes in whether the upstream refuses calls now. */
  see(refuses: boolean, now: number): void {
    if (refuses) {
      this.#since ??= now
      this.#seen = now
    } else if (now - this.#seen >= this.#settings.recoveryAfter) this.#since = undefined
  }

  /** Whether calls have been refused for long enough. What comes and goes for a while is one outage. */
  get lasts(): boolean {
    return this.#since !== undefined && this.#seen - this.#since >= this.#settings.outageAfter
  }

  /** Whether it is this replica's turn to be unready. */
  isTurn(now: number): boolean {
    if (!this.lasts) return false
    const { maxUnready, unreadyShare } = this.#settings
    const cycle = maxUnready / unreadyShare
    return (now + this.#lot * cycle) % cycle < maxUnready
  }
}
