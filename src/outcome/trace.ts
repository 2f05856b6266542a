import { counters } from './counters.ts'
import type { CallReport, TimelineEntry } from './upstream-error.ts'

/** The most entries a timeline keeps. */
const MAX_ENTRIES = 64


/** Control characters, which must not reach a log or a terminal. undici sends those from 0x7f on. */
const CONTROL = /[\0-\x1f\x7f-\x9f]/g

const printable = (path: string): string =>
  path.replace(CONTROL, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** What happened to one call. Separate from the call, so that an error does not retain a body or a header. */
export class Trace implements CallReport {
  readonly upstream: string
  readonly method: string
  readonly startedAt: number
  attempts = 0
  /** Runs a function in the async context of the caller; undefined if no listener needs it. */
  context: (<T>(run: () => T) => T) | undefined = undefined
  #number = 0
  #target: string
  #lastAt: number
  #entries: TimelineEntry[] | undefined

  /** @param target - path and query; only the path is shown. */
  constructor(upstream: string, method: string, target: string, now: number) {
    this.upstream = upstream
    this.method = method
    this.#target = target
    this.startedAt = now
    this.#lastAt = now
  }

  /** The call's number. Assigned at the first read, so that it costs nothing while no event has a subscriber. */
  get number(): number {
    if (this.#number === 0) this.#number = ++counters.calls
    return this.#number
  }

  get path(): string {
    const query = this.#target.indexOf('?')
    return printable(query === -1 ? this.#target : this.#target.slice(0, query))
  }

  get elapsed(): number {
    return this.#lastAt - this.startedAt
  }

  get timeline(): readonly TimelineEntry[] {
    return this.#entries ?? []
  }

  /** Runs `publish` in the caller's async context: a permit, a timer or a socket may have resumed the call in another one. */
  inContext(publish: () => void): void {
    if (this.context === undefined) publish()
    else this.context(publish)
  }

  /** Adds an event to the timeline of the call. */
  mark(event: string, now: number): void {
    this.#lastAt = now
    const entry = { at: now - this.startedAt, event }
    // Most calls have one entry: a literal takes less memory than an array that grows by push().
    if (this.#entries === undefined) this.#entries = [entry]
    else if (this.#entries.length < MAX_ENTRIES) this.#entries.push(entry)
  }
}
