import { Readable } from 'node:stream'
import type { StopReason, UpstreamError } from './upstream-error.ts'
import type { Verdict } from './verdict.ts'

/** Header fields of a response, names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Where the time of a call went, in ms. */
export interface Timings {
  /** Waiting for a permit. */
  readonly queued: number
  /** From the start of the last attempt to the response's headers. */
  readonly headers: number
  /** The whole call, up to the end of a buffered body or the headers of a streamed one. */
  readonly total: number
}

/** What is to be known of a reply that is not the upstream's own to this call. */
export interface StandIn {
  /** What it stands in for. */
  readonly error: UpstreamError
}

/** What is to be known of a stale reply. */
export interface Stale extends StandIn {
  /** Its age in ms. */
  readonly age: number
}

const BOM = '\uFEFF'
const NOTHING = Buffer.alloc(0)
const EXCERPT = 1_024

/** A reply's body: bytes that are all there, or a stream of them. */
export type ReplyBody = Buffer | Readable

/** A body that is handed through to the caller of a dispatcher, and never stands on a reply. */
export interface RelayedBody {
  /** This is the response the caller gets: all of it may go on. */
  handOn(): void
  /** It is not; unless nothing better follows. */
  discard(): void
}

/**
 * What an upstream answered.
 *
 * @example
 * const reply = await client.get(url, { throwOnStatus: false })
 * if (reply.ok) console.log(reply.json(), reply.attempts, reply.timings.total)
 */
export class Reply {
  /** The status code. */
  readonly status: number
  /** Header fields, names in lower case; a field that came more than once is an array. */
  readonly headers: ReplyHeaders
  /** How many attempts it took. */
  attempts = 1
  /** Set when it is the last good reply, which stands in for one that failed. */
  stale: Stale | undefined = undefined
  /** Set when a fallback answered in place of the upstream, with what it stands in for. */
  fallback: StandIn | undefined = undefined
  /** Whether it is the reply to an equal call that was in flight already. */
  shared = false
  /** What it says about the endpoint. @internal */
  verdict: Verdict = 'healthy'
  /** What its Retry-After asks for, in ms. @internal */
  retryAfter: number | undefined = undefined
  /** The error that stands for it, once there is one. @internal */
  failure: { stopped: StopReason | undefined } | undefined = undefined
  /** @internal */
  queued = 0
  /** @internal */
  headersAfter = 0
  /** @internal */
  total = 0
  #bytes: Buffer
  #stream: Readable | undefined
  #relayed: RelayedBody | undefined
  /** Who waits for the end of a stream; undefined once there is nothing to wait for. */
  #waiting: ((error?: unknown) => void)[] | undefined
  #failure: unknown

  constructor(status: number, headers: ReplyHeaders, body: ReplyBody | RelayedBody = NOTHING) {
    this.status = status
    this.headers = headers
    if (Buffer.isBuffer(body)) {
      this.#bytes = body
    } else {
      this.#bytes = NOTHING
      if (body instanceof Readable) this.#stream = body
      else this.#relayed = body
      this.#waiting = []
    }
  }

  /** Whether the status is below 400. */
  get ok(): boolean {
    return this.status < 400
  }

  /** The body as a stream; only of `client.stream()`. The permit is held until it ends. */
  get body(): Readable {
    if (this.#stream !== undefined) return this.#stream
    throw new TypeError('This reply is buffered: use bytes(), text() or json(), or client.stream()')
  }

  /** Where the time went, in ms. */
  get timings(): Timings {
    return { queued: this.queued, headers: this.headersAfter, total: this.total }
  }

  /** The body as bytes. */
  bytes(): Buffer {
    if (this.#stream !== undefined) throw new TypeError('The body of this reply is a stream: read reply.body')
    return this.#bytes
  }

  /** The body as UTF-8 text, without a byte order mark. */
  text(): string {
    const text = this.bytes().toString()
    return text.startsWith(BOM) ? text.slice(1) : text
  }

  /** The body as parsed JSON. @throws SyntaxError if it is none; it does not quote the body, as JSON.parse's own would. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says what it expects
  json<T = unknown>(): T {
    const text = this.text()
    try {
      return JSON.parse(text) as T
    } catch {
      throw new SyntaxError(`The body of this reply is not JSON (status ${this.status}, ${text.length} characters)`)
    }
  }

  /** Whether its body is a stream. @internal */
  get isStreamed(): boolean {
    return this.#stream !== undefined
  }

  /** Why no further attempt was made, if one was considered. @internal */
  get stopped(): StopReason | undefined {
    return this.failure?.stopped
  }

  /** The first bytes of a buffered body, as text. @internal */
  get excerpt(): string {
    return this.#bytes.toString('utf8', 0, EXCERPT)
  }

  /** A buffered reply once more, for another caller: what one does to its headers or bytes the others do not see. @internal */
  copy(): Reply {
    const copy = new Reply(this.status, copyOfHeaders(this.headers), Buffer.from(this.bytes()))
    copy.attempts = this.attempts
    copy.stale = this.stale
    copy.fallback = this.fallback
    copy.verdict = this.verdict
    copy.retryAfter = this.retryAfter
    copy.queued = this.queued
    copy.headersAfter = this.headersAfter
    copy.total = this.total
    return copy
  }

  /** Runs `done` when the body has ended: at once if it has already, else when the stream ends or fails. @internal */
  whenEnded(done: (error?: unknown) => void): void {
    if (this.#waiting === undefined) done(this.#failure)
    else this.#waiting.push(done)
  }

  /** Tells that the stream has ended. @internal */
  end(error?: unknown): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#failure = error
    waiting?.forEach(done => { done(error) })
  }

  /** Lets a relayed response go on to its caller. @internal */
  handOn(): void {
    this.#relayed?.handOn()
  }

  /** Lets go of a body nobody will read. @internal */
  discard(): void {
    this.#relayed?.discard()
    this.#stream?.on('error', () => undefined).destroy()
  }
}

/** Header fields that no change to the others reaches. */
export const copyOfHeaders = (headers: ReplyHeaders): Record<string, string | string[] | undefined> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]))
