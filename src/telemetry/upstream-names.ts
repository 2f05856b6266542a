import type { Client } from '../client/client.ts'
import { OTHER } from './labels.ts'

interface ReportedUpstream {
  readonly label: string
  /** Whether it counts towards the maximum. */
  readonly counted: boolean
  /** Upstreams of this name: one may be created while the one before is still draining. */
  instances: number
}

/**
 * The names under which the upstreams of a client are reported. A configured upstream has its own name; of all others only a
 * limited number have, as each series has a cost, and a party that can choose the called hosts could create any number of them.
 * All further ones are reported as {@link OTHER} for as long as they exist.
 */
export class UpstreamNames {
  readonly #reported = new Map<string, ReportedUpstream>()
  readonly #max: number
  readonly #reuse: boolean
  #count = 0

  /** @param reuse - whether an upstream that is removed makes room for another one. */
  constructor(client: Pick<Client, 'snapshot'>, max: number, reuse: boolean) {
    this.#max = max
    this.#reuse = reuse
    for (const { name, configured } of client.snapshot()) {
      if (configured) this.#reported.set(name, { label: name, counted: false, instances: 1 })
      else this.made(name)
    }
  }

  /** The label of an upstream; {@link OTHER} if it was never created, as for a call refused because of `maxUpstreams`. */
  of(upstream: string): string {
    return this.#reported.get(upstream)?.label ?? OTHER
  }

  /** Adds an upstream that was created. */
  made(upstream: string): void {
    const known = this.#reported.get(upstream)
    if (known !== undefined) known.instances++
    else if (this.#count < this.#max) {
      this.#count++
      this.#reported.set(upstream, { label: upstream, counted: true, instances: 1 })
    } else this.#reported.set(upstream, { label: OTHER, counted: false, instances: 1 })
  }

  /** Removes an upstream. @returns the label whose series are to be removed, if any. */
  gone(upstream: string): string | undefined {
    const known = this.#reported.get(upstream)
    if (known === undefined || --known.instances > 0) return undefined
    if (known.label === OTHER) {
      this.#reported.delete(upstream)
      return undefined
    }
    if (!this.#reuse) return undefined
    this.#reported.delete(upstream)
    if (known.counted) this.#count--
    return known.label
  }
}
