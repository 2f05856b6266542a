import { LRUCache } from 'lru-cache'
import type { Env } from '../clock.ts'
import { ownCopy } from '../options/own.ts'
import type { Upstream } from './upstream.ts'

/**
 * What lru-cache reads of the options of a `get`, which it also writes to. Left out, it reads them off a `{}`, and so off
 * `Object.prototype` where other code has changed that. Written out, as this is on the way of every call.
 */
const getOptions = (): object => ({ allowStale: false, updateAgeOnGet: false, noDeleteOnStaleGet: false, status: undefined })

/**
 * The bounded set of upstreams nobody configured. Each is made when first called and goes when it has been idle for
 * long, or when its place is needed; never while it is busy or its circuit is open, as the outage would be forgotten.
 * (One that is idle for long and open goes when its open time is over: the next call would be let through anyway, and
 * dead origins that nobody calls any more must not take all places for good.)
 *
 * lru-cache keeps them in order of use. Its own eviction can't pin an entry, so the victim is chosen here, before it is
 * full; its TTL acts on touch only, so idle ones are found by one shared timer that walks from the least recently used.
 */
export class DynamicUpstreams {
  readonly #max: number
  readonly #idleTimeout: number
  readonly #env: Env
  readonly #cache: LRUCache<string, Upstream>
  /** Those that only finish what they have, and when they will have. */
  readonly #draining = new Map<Upstream, Promise<void>>()
  #sweeping = false

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

  /** All of them, without counting as use. */
  all(): IterableIterator<Upstream> {
    return this.#cache.values()
  }

  /** Adds an upstream, in place of an old one if need be; undefined when none of them can go. */
  add(origin: string, make: () => Upstream): Upstream | undefined {
    if (this.#cache.size >= this.#max && !this.#makeRoom()) return undefined
    const upstream = make()
    this.#cache.set(origin, upstream, ownCopy({}))
    this.#sweepLater()
    return upstream
  }

  /** Drains all of them and waits for those already draining. */
  async drain(): Promise<void> {
    for (const [origin, upstream] of [...this.#oldestFirst()]) this.#forget(origin, upstream)
    await Promise.all(this.#draining.values())
  }

  /** Ends all of them now, those already draining too. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#cache.values(), ...this.#draining.keys()].map(upstream => upstream.destroy()))
  }

  #makeRoom(): boolean {
    const passedOver: string[] = []
    for (const [origin, upstream] of this.#oldestFirst()) {
      if (upstream.pinned) {
        passedOver.push(origin)
        continue
      }
      this.#forget(origin, upstream)
      // They count as used, so that the next newcomer need not look at them again.
      for (const kept of passedOver) this.#cache.get(kept, getOptions())
      return true
    }
    return false
  }

  /** lru-cache's types lose the pair here. */
  #oldestFirst(): IterableIterator<[string, Upstream]> {
    return this.#cache.rentries() as IterableIterator<[string, Upstream]>
  }

  #forget(origin: string, upstream: Upstream): void {
    this.#cache.delete(origin)
    this.#draining.set(upstream, upstream.drain().finally(() => this.#draining.delete(upstream)))
  }

  #sweepLater(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    this.#env.clock.after(this.#idleTimeout / 2, () => {
      this.#sweeping = false
      this.#sweep()
      if (this.#cache.size > 0) this.#sweepLater()
    }, true)
  }

  #sweep(): void {
    const now = this.#env.clock.now()
    const idleSince = now - this.#idleTimeout
    for (const [origin, upstream] of [...this.#oldestFirst()]) {
      if (upstream.lastUsed > idleSince) return
      if (upstream.isSpent(now)) this.#forget(origin, upstream)
    }
  }
}
