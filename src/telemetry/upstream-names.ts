import type { Client } from '../client/client.ts'
import { OTHER } from './labels.ts'

interface Told {
  readonly as: string
  /** Whether it takes one of the places there are. */
  readonly placed: boolean
  /** An upstream of the same name may be made while the one before still drains. */
  lives: number
}

/**
 * The names under which the upstreams of a client are told. A configured one has its own; of all others only so many have,
 * for a metrics backend pays for each series, and whoever can choose the hosts we call could make as many as they like.
 * Those beyond are {@link OTHER}, and stay so as long as they live.
 */
export class UpstreamNames {
  readonly #told = new Map<string, Told>()
  readonly #max: number
  readonly #reuse: boolean
  #taken = 0

  /** @param reuse - whether the place of one that is gone is free again. */
  constructor(client: Pick<Client, 'snapshot'>, max: number, reuse: boolean) {
    this.#max = max
    this.#reuse = reuse
    for (const { name, configured } of client.snapshot()) {
      if (configured) this.#told.set(name, { as: name, placed: false, lives: 1 })
      else this.made(name)
    }
  }

  /** The name it is told under. One that was never made, such as one refused for lack of a place, has none of its own. */
  of(upstream: string): string {
    return this.#told.get(upstream)?.as ?? OTHER
  }

  /** Takes in an upstream that was made. */
  made(upstream: string): void {
    const known = this.#told.get(upstream)
    if (known !== undefined) known.lives++
    else if (this.#taken < this.#max) {
      this.#taken++
      this.#told.set(upstream, { as: upstream, placed: true, lives: 1 })
    } else this.#told.set(upstream, { as: OTHER, placed: false, lives: 1 })
  }

  /** Takes in that one is gone. @returns the name whose series go with it, if any. */
  gone(upstream: string): string | undefined {
    const known = this.#told.get(upstream)
    if (known === undefined || --known.lives > 0) return undefined
    if (known.as === OTHER) {
      this.#told.delete(upstream)
      return undefined
    }
    if (!this.#reuse) return undefined
    this.#told.delete(upstream)
    if (known.placed) this.#taken--
    return known.as
  }
}
