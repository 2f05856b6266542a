import type { CallReport, TimelineEntry } from './upstream-error.ts'

/** Entries a timeline keeps; a call with more than that has made its point. */
const LONGEST = 64

let numbered = 0

/** What happened to one call, kept apart from the call so that an error does not hold on to a body or a header. */
export class Trace implements CallReport {
  readonly upstream: string
  readonly method: string
  readonly startedAt: number
  attempts = 0
  #number = 0
  #target: string
  #lastAt: number
  #entries: TimelineEntry[] | undefined

  /** @param target - path and query; only the path is ever shown. */
  constructor(upstream: string, method: string, target: string, now: number) {
    this.upstream = upstream
    this.method = method
    this.#target = target
    this.startedAt = now
    this.#lastAt = now
  }

  /** The call's number: given when first asked for, so that it costs nothing while nobody listens. */
  get number(): number {
    if (this.#number === 0) this.#number = ++numbered
    return this.#number
  }

  get path(): string {
    const query = this.#target.indexOf('?')
    return query === -1 ? this.#target : this.#target.slice(0, query)
  }

  get elapsed(): number {
    return this.#lastAt - this.startedAt
  }

  get timeline(): readonly TimelineEntry[] {
    return this.#entries ?? []
  }

  /** Notes an event that somebody who reads a failure will want to know of. */
  mark(event: string, now: number): void {
    this.#lastAt = now
    const entry = { at: now - this.startedAt, event }
    // Most have one; an array that is pushed to makes room for many.
    if (this.#entries === undefined) this.#entries = [entry]
    else if (this.#entries.length < LONGEST) this.#entries.push(entry)
  }
}
