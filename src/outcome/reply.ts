import { Readable } from 'node:stream'
import type { StopReason, UpstreamError } from './upstream-error.ts'
import type { Verdict } from './verdict.ts'

/** Header fields of a response, names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>

/** How the time of a call was spent, in ms. */
export interface Timings {
  /** The wait for a permit. */
  readonly queued: number
  /** From the start of the last attempt to the response's headers. */
  readonly headers: number
  /** The whole call, up to the end of a buffered body or the headers of a streamed one. */
  readonly total: number
}

/** Details of a reply that replaces an error. */
export interface StandIn {
  /** The error the reply replaces. */
  readonly error: UpstreamError
}

/** Details of a stale reply. */
export interface Stale extends StandIn {
  /** The age of the reply, in ms. */
  readonly age: number
}

const BOM = '\uFEFF'
const NOTHING = Buffer.alloc(0)
/** How much of the body of an error status is kept for its error, in bytes. @internal */
export const EXCERPT = 1_024

/** A reply's body: buffered bytes, or a stream. */
export type ReplyBody = Buffer | Readable

/** A body that is passed through to the caller of a dispatcher and never becomes part of a reply. */
export interface RelayedBody {
  /** Passes the response on: it is the one the caller gets. */
  passOn(): void
  /** Holds the response back: the caller gets it only if no further attempt follows. */
  discard(): void
}

/**
 * An upstream's reply.
 *
 * @example
 * const reply = await client.get(url, { throwOnStatus: false })
 * if (reply.ok) console.log(reply.json(), reply.attempts, reply.timings.total)
 */
export class Reply {
  /** The status code. */
  readonly status: number
  /** Header fields, names in lower case; a field that was sent more than once is an array. */
  readonly headers: ReplyHeaders
  /** How many attempts it took. */
  attempts = 1
  /** Set when this is the last good reply, served in place of an error. */
  stale: Stale | undefined = undefined
  /** Set when a fallback made this reply in place of an error. */
  fallback: StandIn | undefined = undefined
  /** Whether this is the reply to an identical call that was already in flight. */
  shared = false
  /** What it proves about the endpoint. @internal */
  verdict: Verdict = 'healthy'
  /** The wait its Retry-After asks for, in ms. @internal */
  retryAfter: number | undefined = undefined
  /** Header fields that listeners of `attemptStart` added to its request. @internal */
  added: Readonly<Record<string, unknown>> | undefined = undefined
  /** The StatusError for this reply, once there is one. @internal */
  failure: { stopped: StopReason | undefined } | undefined = undefined
  /** The error for a caller who would get the body, if the body of this error status was not read to its end. @internal */
  flaw: UpstreamError | undefined = undefined
  /** @internal */
  queued = 0
  /** @internal */
  headersAfter = 0
  /** @internal */
  total = 0
  #bytes: Buffer
  #stream: Readable | undefined
  #relayed: RelayedBody | undefined
  /** Callbacks for the end of the stream; undefined once it has ended. */
  #endListeners: ((error?: unknown) => void)[] | undefined
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
      this.#endListeners = []
    }
  }

  /** Whether the status is below 400. */
  get ok(): boolean {
    return this.status < 400
  }

  /** The body as a stream; only for replies of `client.stream()`. The permit is held until the stream ends. */
  get body(): Readable {
    if (this.#stream !== undefined) return this.#stream
    throw new TypeError('The body of this reply is buffered: use bytes(), text() or json(), or call client.stream()')
  }

  /** How the time was spent, in ms. */
  get timings(): Timings {
    return { queued: this.queued, headers: this.headersAfter, total: this.total }
  }

  /** The body as bytes. */
  bytes(): Buffer {
    if (this.#stream !== undefined) throw new TypeError('The body of this reply is a stream: read it from reply.body')
    return this.#bytes
  }

  /** The body as UTF-8 text, without a byte order mark. */
  text(): string {
    const text = this.bytes().toString()
    return text.startsWith(BOM) ? text.slice(1) : text
  }

  /** The body as parsed JSON. @throws SyntaxError if it is not JSON; unlike that of JSON.parse, it does not quote the body. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller states the type it expects
  json<T = unknown>(): T {
    const text = this.text()
    try {
      return JSON.parse(text) as T
    } catch {
      throw new SyntaxError(`The body of this reply is not valid JSON (status ${this.status}, ${text.length} characters)`)
    }
  }

  /** Whether the body is a stream. @internal */
  get isStreamed(): boolean {
    return this.#stream !== undefined
  }

  /** Why the call was not retried, if a retry was considered. @internal */
  get stopped(): StopReason | undefined {
    return this.failure?.stopped
  }

  /** The first bytes of a buffered body, as text. @internal */
  get excerpt(): string {
    return this.#bytes.toString('utf8', 0, EXCERPT)
  }

  /** Copies a buffered reply for another caller; changes to the copy's headers or bytes do not affect the original. @internal */
  copy(): Reply {
    const copy = new Reply(this.status, copyOfHeaders(this.headers), Buffer.from(this.bytes()))
    copy.attempts = this.attempts
    copy.stale = this.stale
    copy.fallback = this.fallback
    copy.verdict = this.verdict
    copy.flaw = this.flaw
    copy.retryAfter = this.retryAfter
    copy.queued = this.queued
    copy.headersAfter = this.headersAfter
    copy.total = this.total
    return copy
  }

  /** Runs `done` once the body has ended: at once if it already has, otherwise when the stream ends or fails. @internal */
  whenEnded(done: (error?: unknown) => void): void {
    if (this.#endListeners === undefined) done(this.#failure)
    else this.#endListeners.push(done)
  }

  /** Marks the stream as ended and runs the callbacks. @internal */
  end(error?: unknown): void {
    const listeners = this.#endListeners
    this.#endListeners = undefined
    this.#failure = error
    listeners?.forEach(done => { done(error) })
  }

  /** Passes a relayed response on to its caller. @internal */
  passOn(): void {
    this.#relayed?.passOn()
  }

  /** Releases a body that will not be read. @internal */
  discard(): void {
    this.#relayed?.discard()
    this.#stream?.on('error', () => undefined).destroy()
  }
}

/** A deep copy of header fields. */
export const copyOfHeaders = (headers: ReplyHeaders): Record<string, string | string[] | undefined> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]))
