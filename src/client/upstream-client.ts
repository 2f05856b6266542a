import type { Reply } from '../outcome/reply.ts'
import { requestOf } from '../call/request.ts'
import type { CallOptions } from '../options/call-options.ts'
import type { Perform } from '../upstream/perform.ts'
import { targetOn } from '../http/target.ts'
import type { UpstreamSnapshot } from '../upstream/snapshot.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { replyPromise, Verbs, type ReplyPromise } from './verbs.ts'

/**
 * One configured upstream: the client's methods with paths in place of URLs, and what can be asked and done about it.
 */
export class UpstreamClient extends Verbs<string> {
  readonly #upstream: Upstream
  readonly #origin: string
  readonly #perform: Perform

  /** @internal */
  constructor(upstream: Upstream, perform: Perform) {
    super()
    this.#upstream = upstream
    this.#origin = upstream.endpoints.all[0]?.origin ?? ''
    this.#perform = perform
  }

  /** Sends a request to a path of the upstream. */
  request(method: string, path: string, options?: CallOptions): ReplyPromise {
    return replyPromise(this.#send(method, path, options, false))
  }

  /**
   * Sends a request and gives the reply at its headers, its body as a stream. Read it, or destroy it: it holds a
   * permit.
   */
  stream(method: string, path: string, options?: CallOptions): Promise<Reply> {
    return this.#send(method, path, options, true)
  }

  /** Circuit, rates, limit, budget, calls in flight, queue and last errors. */
  snapshot(): UpstreamSnapshot {
    return this.#upstream.snapshot()
  }

  /** Opens every circuit by hand: calls are refused until `restore()`. */
  isolate(): void {
    for (const { circuit } of this.#upstream.endpoints.all) circuit?.isolate()
  }

  /** Closes every circuit by hand, whatever had opened it. */
  restore(): void {
    for (const { circuit } of this.#upstream.endpoints.all) circuit?.restore()
  }

  #send(method: string, path: string, options: CallOptions | undefined, streamed: boolean): Promise<Reply> {
    try {
      const target = { origin: this.#origin, target: targetOn(this.#origin, path) }
      return this.#perform(this.#upstream, requestOf(method, target, options, streamed))
    } catch (error) {
      return Promise.reject(error)
    }
  }
}
