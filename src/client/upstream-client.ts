import type { Reply } from '../outcome/reply.ts'
import { requestOf } from '../call/request.ts'
import type { CallOptions } from '../options/call-options.ts'
import type { Perform } from '../upstream/perform.ts'
import { targetOn } from '../http/target.ts'
import type { BreakerView } from '../upstream/circuit/breaker-view.ts'
import type { UpstreamSnapshot } from '../upstream/snapshot.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { replyPromise, Verbs, type ReplyPromise } from './verbs.ts'

/**
 * One configured upstream: the client's methods with paths instead of URLs, and methods to inspect and control the upstream.
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
   * Sends a request and resolves at the reply's headers, with the body as a stream. Read the body or destroy it: it holds a
   * permit.
   */
  stream(method: string, path: string, options?: CallOptions): Promise<Reply> {
    return this.#send(method, path, options, true)
  }

  /** The state of the upstream: circuits, rates, limit, budget, calls in flight, queue and last errors. */
  snapshot(): UpstreamSnapshot {
    return this.#upstream.snapshot()
  }

  /** Opens every circuit by hand: calls are refused until `restore()`. */
  isolate(): void {
    for (const { circuit } of this.#upstream.endpoints.all) circuit?.isolate()
  }

  /** Closes every circuit by hand, whatever opened it. */
  restore(): void {
    for (const { circuit } of this.#upstream.endpoints.all) circuit?.restore()
  }

  /**
   * The circuit of each endpoint as an opossum `CircuitBreaker`, for dashboards and metrics packages made for those. The same
   * ones each time, until they are shut down: with the upstream, or when its breaker is switched off. None while it is off.
   *
   * @example
   * const metrics = new PrometheusMetrics({ circuits: client.upstream('payments').breakers() })   // of opossum-prometheus
   */
  breakers(): BreakerView[] {
    return this.#upstream.breakers()
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
