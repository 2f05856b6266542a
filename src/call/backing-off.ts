import type { Call } from './call.ts'

/** The calls in back-off before a retry. Most upstreams never have any, so the set is created with the first one. */
export class BackingOff {
  #calls: Set<Call> | undefined

  /** How many calls are in back-off. */
  get size(): number {
    return this.#calls?.size ?? 0
  }

  add(call: Call): void {
    (this.#calls ??= new Set()).add(call)
  }

  delete(call: Call): void {
    this.#calls?.delete(call)
  }

  /** A copy of the set, safe to iterate while calls leave it. */
  all(): readonly Call[] {
    return [...this.#calls ?? []]
  }
}
