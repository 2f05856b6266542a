import { LRUCache } from 'lru-cache'
import type { Env, Timer } from '../clock.ts'
import { ownCopy } from '../options/own-properties.ts'
import type { Upstream } from './upstream.ts'

/** Reports that the dispatcher of an origin, which a `pool.factory` has made, could not be closed. */
const warn = (origin: string, error: unknown): void => {
  const why = error instanceof Error ? error.name : typeof error
  process.emitWarning(`The connections to ${origin} could not be closed: ${why}`, { code: 'BREAKWATER_CLOSE' })
}

/**
 * What lru-cache reads of the options of a `get`, which it also writes to. Left out, it would read them off `Object.prototype`,
 * which other code may have changed. Written out, as every call needs it.
 */
const getOptions = (): object => ({ allowStale: false, updateAgeOnGet: false, noDeleteOnStaleGet: false, status: undefined })

/**
 * The bounded set of upstreams that are not configured by name or origin. Each is created by its first call and removed when it
 * has been idle for `idleTimeout`, or when another one needs its place; never while it has calls. One with an open circuit stays
 * while the circuit refuses calls, as the outage would be forgotten, and makes room for another one only when there is no
 * healthy one to evict: first one whose open time is over, as its next call would be admitted anyway. To forget an outage costs a
 * few calls; to refuse a healthy origin because dead ones occupy all places costs all of its calls.
 *
 * lru-cache keeps them in order of use. Its own eviction cannot skip an entry, so the entry to evict is chosen here, before the
 * cache is full; its TTL takes effect only when an entry is read, so one shared timer looks for idle ones, starting with the
 * least recently used.
 */
export class DynamicUpstreams {
  readonly #max: number
  readonly #idleTimeout: number
  readonly #env: Env
  readonly #cache: LRUCache<string, Upstream>
  /** Upstreams that only finish their calls, with the promise of their end. */
  readonly #draining = new Map<Upstream, Promise<void>>()
  #sweep: Timer | undefined
  #closing = false

  constructor(max: number, idleTimeout: number, env: Env) {
    this.#max = max
    this.#idleTimeout = idleTimeout
    this.#env = env
    this.#cache = new LRUCache<string, Upstream>(ownCopy({ max }))
  }

  get size(): number {
    return this.#cache.size
  }

  get(origin: string): Upstream | undefined {
    return this.#cache.get(origin, getOptions())
  }

  /** All of them; this does not count as use. */
  all(): IterableIterator<Upstream> {
    return this.#cache.values()
  }

  /** Adds an upstream, evicting another one if necessary; undefined if none can be evicted. */
  add(origin: string, create: () => Upstream): Upstream | undefined {
    if (this.#cache.size >= this.#max && !this.#makeRoom()) return undefined
    const upstream = create()
    this.#cache.set(origin, upstream, ownCopy({}))
    this.#sweepLater()
    return upstream
  }

  /** Drains all of them, and waits for those that are draining already. */
  async drain(): Promise<void> {
    this.#closing = true
    this.#stopSweeping()
    for (const [origin, upstream] of [...this.#oldestFirst()]) this.#remove(origin, upstream)
    await Promise.all(this.#draining.values())
  }

  /** Destroys and forgets all of them now, including those that are draining. */
  async destroy(): Promise<void> {
    this.#stopSweeping()
    await Promise.all([...this.#cache.values(), ...this.#draining.keys()].map(upstream => upstream.destroy()))
    this.#cache.clear()
  }

  #makeRoom(): boolean {
    const skipped: string[] = []
    const now = this.#env.clock.now()
    let due: [string, Upstream] | undefined
    let open: [string, Upstream] | undefined
    for (const [origin, upstream] of this.#oldestFirst()) {
      if (upstream.pinned) {
        skipped.push(origin)
        if (upstream.active > 0) continue
        open ??= [origin, upstream]
        if (upstream.isRemovable(now)) due ??= [origin, upstream]
        continue
      }
      this.#remove(origin, upstream)
      // Marked as used, so that the next eviction does not check them again.
      for (const pinned of skipped) this.#cache.get(pinned, getOptions())
      return true
    }
    const dead = due ?? open
    if (dead !== undefined) this.#remove(...dead)
    return dead !== undefined
  }

  /** lru-cache's types do not say that the entries are pairs. */
  #oldestFirst(): IterableIterator<[string, Upstream]> {
    return this.#cache.rentries() as IterableIterator<[string, Upstream]>
  }

  #remove(origin: string, upstream: Upstream): void {
    this.#cache.delete(origin)
    const drained = upstream.drain().finally(() => this.#draining.delete(upstream))
    this.#draining.set(upstream, drained)
    // Nothing waits for an upstream that makes room for another one. A client that is closed waits, and rejects with the error.
    drained.catch((error: unknown) => { if (!this.#closing) warn(origin, error) })
  }

  #sweepLater(): void {
    this.#sweep ??= this.#env.clock.after(this.#idleTimeout / 2, () => {
      this.#sweep = undefined
      this.#removeIdle()
      if (this.#cache.size > 0) this.#sweepLater()
    }, true)
  }

  /** The timer would keep a client that is no longer used in memory until it is due. */
  #stopSweeping(): void {
    this.#sweep?.cancel()
    this.#sweep = undefined
  }

  #removeIdle(): void {
    const now = this.#env.clock.now()
    const idleSince = now - this.#idleTimeout
    for (const [origin, upstream] of [...this.#oldestFirst()]) {
      if (upstream.lastUsed > idleSince) return
      if (upstream.isRemovable(now)) this.#remove(origin, upstream)
    }
  }
}
