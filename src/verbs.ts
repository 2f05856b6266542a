import type { Reply } from './reply.ts'
import type { CallOptions } from './request.ts'

/** A reply to come; its body can be asked for at once. */
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

/** Gives a promise of a reply its methods. A subclass of Promise would make every `await` of it slower. */
export function replyPromise(promise: Promise<Reply>): ReplyPromise {
  const own = promise as ReplyPromise
  own.json = json
  own.text = text
  own.bytes = bytes
  return own
}

/** The methods of HTTP, for a client (with URLs) and for one upstream (with paths). */
export abstract class Verbs<Where> {
  /** Sends a request. The reply's body is buffered, so that nothing leaks and a failed body can be retried. */
  abstract request(method: string, where: Where, options?: CallOptions): ReplyPromise

  /**
   * Sends a request and gives the reply at its headers, its body as a stream. Read it, or destroy it: it holds a
   * permit.
   */
  abstract stream(method: string, where: Where, options?: CallOptions): Promise<Reply>

  get(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('GET', where, options)
  }

  head(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('HEAD', where, options)
  }

  post(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('POST', where, options)
  }

  put(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('PUT', where, options)
  }

  patch(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('PATCH', where, options)
  }

  delete(where: Where, options?: CallOptions): ReplyPromise {
    return this.request('DELETE', where, options)
  }
}
