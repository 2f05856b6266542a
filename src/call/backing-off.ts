import type { Call } from './call.ts'

/** Calls that wait for their next attempt. Most upstreams never have one, so the set is made with the first. */
export class BackingOff {
  #calls: Set<Call> | undefined

  /** How many there are. */
  get size(): number {
    return this.#calls?.size ?? 0
  }

  add(call: Call): void {
    (this.#calls ??= new Set()).add(call)
  }

  delete(call: Call): void {
    this.#calls?.delete(call)
  }

  /** Those there are now, whatever becomes of them meanwhile. */
  all(): readonly Call[] {
    return [...this.#calls ?? []]
  }
}
