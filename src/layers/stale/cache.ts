import { HOP_BY_HOP } from '../../http/headers.ts'
import { LRUCache } from 'lru-cache'
import type { Lifetime } from '../../http/freshness.ts'
import { ownCopy } from '../../options/own.ts'
import { copyOfHeaders, Reply, type ReplyHeaders } from '../../outcome/reply.ts'

/** What an upstream has in the cache. */
export interface Kept {
  /** Replies. */
  entries: number
  /** Bytes, those of headers and keys included. */
  bytes: number
}

/** A reply as it is kept. */
interface Entry {
  readonly uri: string
  readonly status: number
  readonly headers: ReplyHeaders
  readonly body: Buffer
  readonly lifetime: Lifetime
  /** When it would have been of age 0, on the monotonic clock. */
  readonly bornAt: number
  readonly size: number
  readonly kept: Kept
}

/** What is found: how old it is, and until when it may be used. */
export interface Found {
  readonly age: number
  readonly lifetime: Lifetime
  /** Makes a reply of it, which is the caller's own. */
  readonly reply: () => Reply
}

/** What an entry takes besides its texts and its body: objects, a place in the cache and in the index. */
const OVERHEAD = 1_024

/**
 * The last good replies of all upstreams of a client, bounded in bytes together: those used longest ago make room. They
 * outlive an upstream that is forgotten for being idle, as its outage may come later.
 */
export class StaleCache {
  readonly #cache: LRUCache<string, Entry>
  /** The keys of each resource, for what changes it makes all of them out of date. */
  readonly #byUri = new Map<string, Set<string>>()

  constructor(maxSize: number) {
    // lru-cache reads options off objects of its own where it is given none, and so off a changed `Object.prototype`.
    this.#cache = new LRUCache<string, Entry>(ownCopy({
      maxSize, sizeCalculation: ({ size }: Entry) => size, dispose: (entry: Entry, key: string) => { this.#gone(entry, key) },
    }))
  }

  /** Bytes there are now. */
  get size(): number {
    return this.#cache.calculatedSize
  }

  /** Keeps a reply, in place of the one before. One that is larger than the whole cache is not kept. */
  put(key: string, uri: string, reply: Reply, lifetime: Lifetime, bornAt: number, kept: Kept): void {
    const headers = copyOfHeaders(reply.headers)
    // The connection is gone, and with it what was said about it (RFC 9111 §3.1).
    for (const name of HOP_BY_HOP) Reflect.deleteProperty(headers, name)
    const bytes = reply.bytes()
    // Memory of its own: a chunk off the wire may be a small part of something large.
    const body = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(body)
    const size = OVERHEAD + body.length + 2 * (key.length + uri.length) + sizeOf(headers)
    this.#cache.delete(key)
    if (size > this.#cache.maxSize) return
    this.#cache.set(key, { uri, status: reply.status, headers, body, lifetime, bornAt, size, kept }, ownCopy({}))
    kept.entries++
    kept.bytes += size
    const keys = this.#byUri.get(uri)
    if (keys === undefined) this.#byUri.set(uri, new Set([key]))
    else keys.add(key)
  }

  /** The last good reply, if there is one that may still be used at all. */
  find(key: string, now: number): Found | undefined {
    const entry = this.#cache.get(key, ownCopy({}))
    if (entry === undefined) return undefined
    const { status, headers, body, lifetime, bornAt } = entry
    const age = now - bornAt
    if (age > lifetime.usable) {
      this.#cache.delete(key)
      return undefined
    }
    const seconds = String(Math.floor(age / 1_000))
    return { age, lifetime, reply: () => new Reply(status, { ...copyOfHeaders(headers), age: seconds }, Buffer.from(body)) }
  }

  /** Forgets a reply. */
  forget(key: string): void {
    this.#cache.delete(key)
  }

  /** Forgets all replies of a resource, as something has changed it (RFC 9111 §4.4). */
  invalidate(uri: string): void {
    for (const key of [...this.#byUri.get(uri) ?? []]) this.#cache.delete(key)
  }

  /** Forgets all. */
  clear(): void {
    this.#cache.clear()
  }

  #gone(entry: Entry, key: string): void {
    entry.kept.entries--
    entry.kept.bytes -= entry.size
    const keys = this.#byUri.get(entry.uri)
    keys?.delete(key)
    if (keys?.size === 0) this.#byUri.delete(entry.uri)
  }
}

const sizeOf = (headers: ReplyHeaders): number => Object.entries(headers)
  .reduce((size, [name, value]) => size + 2 * (name.length + [value].flat().join('').length), 0)
