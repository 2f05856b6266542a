import type { Env } from '../../clock.ts'
import type { Upstreams } from '../../upstream/upstreams.ts'
import type { Endpoint } from '../../upstream/endpoints/endpoint.ts'
import { parseOrigin } from '../../http/origin.ts'
import { PassthroughHandler } from './passthrough.ts'
import { RelayedRequest, type UnderWay } from '../../transport/relay.ts'
import { checkDispatchOptions, pathOf, type DispatchOptions } from '../../transport/dispatch-options.ts'
import { errors, type Dispatcher } from '../../transport/undici.ts'
import { sendRelayed } from './send-relayed.ts'
import type { Send } from '../../call/layer.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/** Takes what one dispatcher is asked for to the upstreams of its client, and keeps count of it. */
export class DispatcherCore {
  closed = false
  destroyed = false
  readonly #upstreams: Upstreams
  readonly #send: Send
  readonly #env: Env
  readonly #underWay = new Set<UnderWay>()
  /** Those who wait for the last of it to end. */
  #waiting: (() => void)[] = []

  constructor(upstreams: Upstreams, send: Send, env: Env) {
    this.#upstreams = upstreams
    this.#send = send
    this.#env = env
  }

  /**
   * What is wrong is reported to the handler; only a handler that can't hear of it makes this throw.
   *
   * @param callerTimeout - how long the caller may be waited for, in ms, if not as the policy of the upstream has it.
   */
  dispatch(asked: DispatchOptions, handler: Dispatcher.DispatchHandler, callerTimeout?: number): boolean {
    if (typeof handler !== 'object' || (handler as unknown) === null) {
      throw new errors.InvalidArgumentError('handler must be an object')
    }
    try {
      return this.#dispatch(asked, handler, callerTimeout)
    } catch (error) {
      if (typeof handler.onResponseError !== 'function') throw error
      handler.onResponseError(null as unknown as Dispatcher.DispatchController, error as Error)
      return false
    }
  }

  async close(): Promise<void> {
    if (this.destroyed) throw new errors.ClientDestroyedError()
    this.closed = true
    if (this.#underWay.size > 0) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    this.destroyed = true
  }

  destroy(error: Error | null): Promise<void> {
    this.closed = this.destroyed = true
    for (const one of [...this.#underWay]) one.destroy(error ?? new errors.ClientDestroyedError())
    return Promise.resolve()
  }

  stats(): Record<string, unknown> {
    const endpoints = this.#upstreams.all().flatMap(upstream => upstream.endpoints.all)
    const stats = endpoints.map(({ origin, pool }) => [origin, pool.stats] as const)
    return Object.fromEntries(stats.filter(([, of]) => of !== undefined))
  }

  #dispatch(asked: DispatchOptions, handler: Dispatcher.DispatchHandler, callerTimeout?: number): boolean {
    if (typeof asked !== 'object' || (asked as unknown) === null) throw new errors.InvalidArgumentError('opts must be an object.')
    if ('dispatcher' in asked && asked.dispatcher) {
      throw new errors.InvalidArgumentError('opts.dispatcher is not supported by instance methods.')
    }
    if (this.destroyed) throw new errors.ClientDestroyedError()
    if (this.closed) throw new errors.ClientClosedError()
    // An origin that is known as it is written needs no parsing.
    const known = typeof asked.origin === 'string' ? this.#upstreams.known(asked.origin) : undefined
    const origin = known === undefined ? originOf(asked) : String(asked.origin)
    checkDispatchOptions(asked, handler)
    const upstream = known ?? this.#upstreams.at(origin, asked.method, pathOf(asked))
    if (!this.#upstreams.isOpen(upstream)) throw this.#upstreams.refuseDraining(upstream, asked.method, pathOf(asked))
    const { retry, breaker, limit } = upstream.policy
    if (retry === false && breaker === false && limit === false) return this.#pass(upstream, origin, asked, handler)
    const relayed = new RelayedRequest(asked, handler, this.#gone, callerTimeout ?? upstream.policy.callerTimeout)
    this.#underWay.add(relayed)
    return sendRelayed(this.#send, upstream, relayed)
  }

  /** With all protections off there is nothing between the caller and the connections. */
  #pass(upstream: Upstream, origin: string, asked: DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { endpoints: { all }, policy } = upstream
    const endpoint = (all.find(one => one.origin === origin) ?? all[0]) as Endpoint
    const now = this.#env.clock.now()
    const passage = new PassthroughHandler(handler, gone => {
      upstream.ended()
      this.#gone(gone)
    })
    upstream.began(now)
    this.#underWay.add(passage)
    try {
      return endpoint.pool.passthrough(asked, passage, policy.headers, now)
    } catch (error) {
      // The caller's factory threw.
      passage.onResponseError(null, error as Error)
      return false
    }
  }

  readonly #gone = (one: UnderWay): void => {
    this.#underWay.delete(one)
    if (this.#underWay.size > 0) return
    for (const resolve of this.#waiting) resolve()
    this.#waiting = []
  }
}

/** The origin as the URL standard writes it. @throws what undici throws: an InvalidArgumentError, or what `new URL()` does. */
function originOf({ origin }: DispatchOptions): string {
  if (!(origin instanceof URL) && (typeof origin !== 'string' || origin === '')) {
    throw new errors.InvalidArgumentError('opts.origin must be a non-empty string or URL.')
  }
  const url = new URL(origin)
  try {
    return parseOrigin(url.href, 'opts.origin')
  } catch (error) {
    throw new errors.InvalidArgumentError((error as Error).message)
  }
}
