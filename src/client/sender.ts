import type { Env } from '../clock.ts'
import { coalesced } from '../layers/coalesce.ts'
import type { Directory } from '../upstream/upstreams.ts'
import { DrainingError } from '../outcome/errors.ts'
import { tellRefused } from '../events.ts'
import { withFallback } from '../layers/fallback.ts'
import { LastGood } from '../layers/stale/cache.ts'
import { perform, type Perform } from '../layers/execute.ts'
import { redirectOf } from '../layers/redirect.ts'
import type { Reply } from '../outcome/reply.ts'
import { withQuery, within, type Request } from '../call/request.ts'
import { withStale } from '../layers/stale/stale.ts'
import type { Target } from '../http/target.ts'
import { Trace } from '../outcome/trace.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** Sends requests for a client and for the views it gives of single upstreams, until it is closed. */
export class Sender {
  #closing = false
  #destroyed = false
  readonly #directory: Directory
  readonly #env: Env
  readonly #lastGood: LastGood
  readonly #perform: Perform
  /** Calls that follow redirects: they may yet need an upstream that is idle now. */
  readonly #following = new Set<Promise<Reply>>()

  /** @param maxStaleSize - bytes of stale replies kept at most. */
  constructor(directory: Directory, maxStaleSize: number, env: Env) {
    this.#directory = directory
    this.#env = env
    this.#lastGood = new LastGood(maxStaleSize)
    // Outside of the upstream's own layers, for they answer what these refuse, too. The fallback is the last resort; a
    // stale reply is served to each caller by its own deadline; what is shared is one call.
    this.#perform = withFallback(withStale(this.#lastGood, coalesced(perform)))
  }

  /** Sends a request, and follows redirects if that is wanted. */
  send(upstream: Upstream, { origin, target }: Target, request: Request, streamed: boolean): Promise<Reply> {
    if (!this.isOpen(upstream)) return Promise.reject(this.draining(upstream, target, request.method))
    const { query } = request.options
    const whole = query === undefined ? target : withQuery(target, query)
    const sent = this.#perform(upstream, whole, request, streamed)
    const redirects = request.options.redirects ?? upstream.policy.redirects
    if (redirects === 0) return sent
    const followed = this.#followed(sent, upstream, new URL(origin + target), request, streamed, redirects)
    const forget = (): void => { this.#following.delete(followed) }
    this.#following.add(followed)
    followed.then(forget, forget)
    return followed
  }

  /** Whether an upstream takes calls. */
  isOpen(upstream: Upstream): boolean {
    return !this.#closing && !upstream.draining
  }

  /** Takes no new calls, and waits for those that may still go from one upstream to another. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.allSettled(this.#following)
  }

  /** Takes no new calls, follows no more redirects, and forgets the stale replies. */
  destroy(): void {
    this.#closing = this.#destroyed = true
    this.#lastGood.clear()
  }

  /** Follows redirects, all of them within the first call's deadline and each to an origin that may be called. */
  async #followed(
    sent: Promise<Reply>, first: Upstream, url: URL, request: Request, streamed: boolean, redirects: number,
  ): Promise<Reply> {
    const endsAt = this.#env.clock.now() + (request.options.deadline ?? first.policy.deadline)
    let reply = await sent
    let hop = { url, request }
    for (let left = redirects; left > 0; left--) {
      const next = redirectOf(reply, hop)
      if (next === undefined) break
      reply.discard()
      hop = next
      const target = hop.url.pathname + hop.url.search
      if (this.#destroyed) throw this.draining(first, target, hop.request.method)
      const upstream = this.#directory.at(hop.url.origin, hop.request.method, target)
      const left = Math.max(1, endsAt - this.#env.clock.now())
      reply = await this.#perform(upstream, target, within(hop.request, left), streamed)
    }
    return reply
  }

  /** The refusal of a call that comes when none are taken any more. */
  draining(upstream: Upstream, target: string, method: string): DrainingError {
    const trace = new Trace(upstream.name, method, target, this.#env.clock.now())
    trace.mark('refused: draining', trace.startedAt)
    const error = new DrainingError(trace)
    tellRefused(this.#env, upstream.name, method, error)
    return error
  }
}
