import { RetryAfterHold } from './hold.ts'

/** The most paths to watch at a time; the one watched longest gives way. */
const MAX_PATHS = 256

/** What is known of a path that failed. */
class PathHold extends RetryAfterHold {
  /** Failed attempts in a row, the retries of a call included. */
  failures = 0
  /** Holds for failures since a call of it succeeded. */
  rounds = 0
  why = ''
}

/**
 * The holds of one endpoint: of single paths, and of all its calls.
 *
 * A 503 with Retry-After (RFC 9110 §10.2.3) says that something behind its path is not available. That need not be the whole
 * origin: a gateway answers so for each of its routes. So it holds its own path; it holds all calls once so many outcomes in a row
 * asked to wait that one route does not explain it, and from then on one is enough until a call succeeds.
 *
 * The retries of a call are one piece of evidence about the endpoint, but each is one about its path: a path whose attempts keep
 * failing is held on its own, before the circuit of the endpoint has seen enough calls.
 */
export class Holds {
  readonly #all = new RetryAfterHold()
  #paths: Map<string, PathHold> | undefined
  /** Outcomes that asked to wait since the last healthy one. */
  #asked = 0

  /** Whether all calls are held. */
  isActive(now: number): boolean {
    return this.#all.isActive(now)
  }

  /** Whether any call is held. */
  isAnyActive(now: number): boolean {
    if (this.isActive(now)) return true
    for (const hold of this.#paths?.values() ?? []) if (hold.isActive(now)) return true
    return false
  }

  /** How long all calls are still held, in ms. */
  left(now: number): number {
    return this.#all.left(now)
  }

  /** How long the calls of a path are still held on their own, in ms. */
  pathLeft(path: string, now: number): number {
    return this.#paths?.get(path)?.left(now) ?? 0
  }

  /** Why a path is held, in words. */
  whyPath(path: string): string {
    return this.#paths?.get(path)?.why ?? ''
  }

  /** Starts a hold of `ms` for all calls. */
  begin(ms: number, now: number): void {
    this.#all.begin(ms, now)
  }

  /** Starts a hold of `ms` for a path, or for all calls if `enough` outcomes in a row asked to wait. */
  beginPath(path: string, ms: number, enough: number, now: number): void {
    if (++this.#asked >= enough) {
      this.#asked = Infinity
      this.begin(ms, now)
      return
    }
    const hold = this.#watch(path)
    hold.why = 'the upstream asked to wait for this path (Retry-After)'
    hold.begin(ms, now)
  }

  /**
   * Counts a failed attempt; `enough` of a path in a row hold it.
   *
   * @param openTime - how long to hold, in ms, given how many times that has been without a success.
   */
  failed(path: string, enough: number, openTime: (rounds: number) => number, now: number): void {
    const hold = this.#watch(path)
    if (hold.isActive(now) || ++hold.failures < enough) return
    hold.why = 'consecutive failures of this path'
    hold.begin(openTime(hold.rounds++), now)
  }

  /** Counts a call that succeeded; `enough` of them during a hold of all calls end it. */
  served(enough: number, now: number): void {
    this.#asked = 0
    this.#all.served(enough, now)
  }

  /** Counts a call of a path that succeeded; `enough` of them during the hold of that path end it. */
  servedPath(path: string, enough: number, now: number): void {
    const hold = this.#paths?.get(path)
    if (hold === undefined) return
    hold.failures = hold.rounds = 0
    hold.served(enough, now)
  }

  end(): void {
    this.#asked = 0
    this.#all.end()
    this.#paths = undefined
  }

  #watch(path: string): PathHold {
    const paths = this.#paths ??= new Map<string, PathHold>()
    const hold = paths.get(path) ?? new PathHold()
    // The newest is the last to give way.
    paths.delete(path)
    if (paths.size >= MAX_PATHS) paths.delete(paths.keys().next().value as string)
    paths.set(path, hold)
    return hold
  }
}
