import type { Reply } from '../outcome/reply.ts'
import type { CallOptions } from '../options/call-options.ts'

/**
 * The promise of a reply, with shortcuts to its body.
 *
 * @example
 * const reply = await client.get(url)
 * const invoice = await client.get(url).json<Invoice>()
 */
export interface ReplyPromise extends Promise<Reply> {
  /** The body as parsed JSON. */
  json<T = unknown>(): Promise<T>
  /** The body as text. */
  text(): Promise<string>
  /** The body as bytes. */
  bytes(): Promise<Buffer>
}

const json = function<T>(this: Promise<Reply>): Promise<T> {
  return this.then(reply => reply.json<T>())
}
const text = function(this: Promise<Reply>): Promise<string> {
  return this.then(reply => reply.text())
}
const bytes = function(this: Promise<Reply>): Promise<Buffer> {
  return this.then(reply => reply.bytes())
}

/** Adds the methods to a promise of a reply. A subclass of Promise would make every `await` of it slower. */
export function replyPromise(promise: Promise<Reply>): ReplyPromise {
  const own = promise as ReplyPromise
  own.json = json
  own.text = text
  own.bytes = bytes
  return own
}

/**
 * The HTTP methods, for a client (with URLs) and for one upstream (with paths).
 *
 * Every call rejects with an UpstreamError, whose subclass says what happened; with the abort reason of the caller's
 * signal; or with an OptionError. It never throws synchronously.
 */
export abstract class Verbs<Where> {
  /** Sends a request. The reply's body is buffered, so an unread body holds no connection, and a failed one can be retried. */
  abstract request(method: string, where: Where, options?: CallOptions): ReplyPromise

  /**
   * Sends a request and resolves at the reply's headers, with the body as a stream. Read the body or destroy it: it holds a
   * permit.
   */
  abstract stream(method: string, where: Where, options?: CallOptions): Promise<Reply>

  /** Sends a GET. */
  get(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('GET', where, options)
  }

  /** Sends a HEAD: the reply has headers and no body. */
  head(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('HEAD', where, options)
  }

  /** Sends a POST. It is not retried once it may have been sent, unless it has an `idempotencyKey`. */
  post(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('POST', where, options)
  }

  /** Sends a PUT. */
  put(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('PUT', where, options)
  }

  /** Sends a PATCH. It is not retried once it may have been sent, unless it has an `idempotencyKey`. */
  patch(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('PATCH', where, options)
  }

  /** Sends a DELETE. */
  delete(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('DELETE', where, options)
  }
}
