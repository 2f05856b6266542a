import { HOP_BY_HOP } from '../../http/headers.ts'
import { LRUCache } from 'lru-cache'
import { ownCopy } from '../../options/own-properties.ts'
import type { Lifetime } from '../../http/freshness.ts'
import { Reply, type ReplyHeaders } from '../../outcome/reply.ts'

/** The share of the cache that an upstream uses. */
export interface StaleUsage {
  /** Number of replies. */
  entries: number
  /** Bytes, including headers and keys. */
  bytes: number
}

/** What is stored along with a reply. */
export interface StoredWith {
  /** The key of the resource. */
  readonly uri: string
  readonly lifetime: Lifetime
  /** When the reply was generated, so that its age was 0, on the monotonic clock. */
  readonly generatedAt: number
  /** The usage of the upstream, which counts the reply. */
  readonly usage: StaleUsage
}

/** A stored reply. */
interface StoredReply extends StoredWith {
  readonly status: number
  /** As JSON: one string, whose size is known, takes a fraction of the memory of an object with many fields. */
  readonly headers: string
  readonly body: Buffer
  readonly size: number
}

/** A stored reply that was found, and the ages up to which it may be used. */
export interface Found {
  readonly age: number
  readonly lifetime: Lifetime
  /** Creates a reply from it, which belongs to the caller. */
  readonly reply: () => Reply
}

/** The estimated size of an entry besides its strings and its body: objects, and its places in the cache and the index. */
const OVERHEAD = 1_024

/**
 * The last good replies of all upstreams of a client, with one limit on their total size: the least recently used are evicted.
 * They outlive an upstream that is removed for being idle, as its outage may come later.
 */
export class StaleCache {
  readonly #cache: LRUCache<string, StoredReply>
  /** The keys of each resource, as a change of the resource invalidates all of them. */
  readonly #byUri = new Map<string, Set<string>>()

  constructor(maxSize: number) {
    this.#cache = new LRUCache<string, StoredReply>(ownCopy({
      maxSize, sizeCalculation: ({ size }: StoredReply) => size,
      dispose: (entry: StoredReply, key: string) => { this.#disposed(entry, key) },
    }))
  }

  /** The current size in bytes. */
  get size(): number {
    return this.#cache.calculatedSize
  }

  /** Stores a reply in place of an older one. A reply larger than the whole cache is not stored. */
  put(key: string, reply: Reply, { uri, lifetime, generatedAt, usage }: StoredWith): void {
    // Hop-by-hop fields concern the connection and are not stored (RFC 9111 §3.1).
    const fields = Object.entries(reply.headers).filter(([name]) => !HOP_BY_HOP.has(name))
    const headers = JSON.stringify(Object.fromEntries(fields))
    const bytes = reply.bytes()
    // A copy, as a chunk off the wire may be a small slice of a large buffer.
    const body = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(body)
    const size = OVERHEAD + body.length + 2 * (key.length + uri.length + headers.length)
    this.#cache.delete(key)
    if (size > this.#cache.maxSize) return
    this.#cache.set(key, { uri, status: reply.status, headers, body, lifetime, generatedAt, size, usage }, ownCopy({}))
    usage.entries++
    usage.bytes += size
    const keys = this.#byUri.get(uri)
    if (keys === undefined) this.#byUri.set(uri, new Set([key]))
    else keys.add(key)
  }

  /** The last good reply, if there is a reply that may still be used. */
  find(key: string, now: number): Found | undefined {
    const entry = this.#cache.get(key, ownCopy({}))
    if (entry === undefined) return undefined
    const { status, headers, body, lifetime, generatedAt } = entry
    const age = now - generatedAt
    if (age > lifetime.usable) {
      this.#cache.delete(key)
      return undefined
    }
    const seconds = String(Math.floor(age / 1_000))
    const fields = (): ReplyHeaders => ({ ...JSON.parse(headers) as ReplyHeaders, age: seconds })
    return { age, lifetime, reply: () => new Reply(status, fields(), Buffer.from(body)) }
  }

  /** Removes a reply. */
  remove(key: string): void {
    this.#cache.delete(key)
  }

  /** Removes all replies of a resource, because it has been changed (RFC 9111 §4.4). */
  invalidate(uri: string): void {
    for (const key of [...this.#byUri.get(uri) ?? []]) this.#cache.delete(key)
  }

  /** Removes all replies. */
  clear(): void {
    this.#cache.clear()
  }

  #disposed(entry: StoredReply, key: string): void {
    entry.usage.entries--
    entry.usage.bytes -= entry.size
    const keys = this.#byUri.get(entry.uri)
    keys?.delete(key)
    if (keys?.size === 0) this.#byUri.delete(entry.uri)
  }
}
