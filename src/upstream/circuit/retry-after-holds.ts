import { RetryAfterHold } from './retry-after-hold.ts'

/** The most paths to hold at a time; the one held first gives way. */
const MAX_PATHS = 256

/**
 * The holds of one endpoint: of single paths, and of all its calls.
 *
 * A 503 with Retry-After (RFC 9110 §10.2.3) says that something behind its path is not available. That need not be the whole
 * origin: a gateway answers so for each of its routes. So it holds its own path; it holds all calls once so many outcomes in a
 * row asked to wait that one route does not explain it, and from then on one is enough until a call succeeds.
 */
export class Holds {
  readonly #all = new RetryAfterHold()
  #paths: Map<string, RetryAfterHold> | undefined
  /** Outcomes that asked to wait since the last healthy one. */
  #asked = 0

  /** Whether all calls are held. */
  isActive(now: number): boolean {
    return this.#all.isActive(now)
  }

  /** Whether any call is held. */
  isAnyActive(now: number): boolean {
    return this.isActive(now) || this.pathsHeld(now) > 0
  }

  /** How many paths are held on their own. */
  pathsHeld(now: number): number {
    let held = 0
    for (const hold of this.#paths?.values() ?? []) if (hold.isActive(now)) held++
    return held
  }

  /** How long all calls are still held, in ms. */
  left(now: number): number {
    return this.#all.left(now)
  }

  /** Whether any path was held: what lets all others skip a look. */
  get hasPaths(): boolean {
    return this.#paths !== undefined
  }

  /** How long the calls of a path are still held on their own, in ms. */
  pathLeft(path: string, now: number): number {
    return this.#paths?.get(path)?.left(now) ?? 0
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
    const paths = this.#paths ??= new Map<string, RetryAfterHold>()
    const hold = paths.get(path) ?? new RetryAfterHold()
    // The newest is the last to give way.
    paths.delete(path)
    if (paths.size >= MAX_PATHS) paths.delete(paths.keys().next().value as string)
    paths.set(path, hold)
    hold.begin(ms, now)
  }

  /** Counts a call that succeeded; `enough` of them during a hold of all calls end it. */
  served(enough: number, now: number): void {
    this.#asked = 0
    this.#all.served(enough, now)
  }

  /** Counts a call of a path that succeeded; `enough` of them during the hold of that path end it. */
  servedPath(path: string, enough: number, now: number): void {
    this.#paths?.get(path)?.served(enough, now)
  }

  end(): void {
    this.#asked = 0
    this.#all.end()
    this.#paths = undefined
  }
}
