import type { Env } from '../../clock.ts'
import type { Upstreams } from '../../upstream/upstreams.ts'
import type { Endpoint } from '../../upstream/endpoints/endpoint.ts'
import { parseOrigin } from '../../http/origin.ts'
import { Lifecycle } from './lifecycle.ts'
import { PassthroughHandler } from './passthrough.ts'
import { RelayedRequest, type ActiveRequest } from '../../transport/relay.ts'
import { checkDispatchOptions, pathOf, type DispatchOptions } from '../../transport/dispatch-options.ts'
import { errors, type Dispatcher } from '../../transport/undici.ts'
import { sendRelayed } from './send-relayed.ts'
import type { Send } from '../../call/layer.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/** Sends the requests of one dispatcher to the upstreams of its client, and tracks those in flight. */
export class DispatcherCore {
  readonly life: Lifecycle
  readonly #upstreams: Upstreams
  readonly #send: Send
  readonly #env: Env
  readonly #active = new Set<ActiveRequest>()
  /** Callbacks for the end of the last active request. */
  #onIdle: (() => void)[] = []

  constructor(upstreams: Upstreams, send: Send, env: Env) {
    this.#upstreams = upstreams
    this.#send = send
    this.#env = env
    this.life = new Lifecycle({ finish: () => this.#finish(), abort: error => { this.#abort(error) } })
  }

  /**
   * Dispatches a request. Errors go to the handler; this throws only if the handler cannot take one.
   *
   * @param callerTimeout - the longest time to wait for the caller, in ms. @default that of the upstream's policy
   */
  dispatch(options: DispatchOptions, handler: Dispatcher.DispatchHandler, callerTimeout?: number): boolean {
    if (typeof handler !== 'object' || (handler as unknown) === null) {
      throw new errors.InvalidArgumentError('handler must be an object')
    }
    try {
      return this.#dispatch(options, handler, callerTimeout)
    } catch (error) {
      if (typeof handler.onResponseError !== 'function') throw error
      handler.onResponseError(null as unknown as Dispatcher.DispatchController, error as Error)
      return false
    }
  }

  stats(): Record<string, unknown> {
    const endpoints = this.#upstreams.all().flatMap(upstream => upstream.endpoints.all)
    const stats = endpoints.map(({ origin, pool }) => [origin, pool.stats] as const)
    return Object.fromEntries(stats.filter(([, of]) => of !== undefined))
  }

  #dispatch(options: DispatchOptions, handler: Dispatcher.DispatchHandler, callerTimeout?: number): boolean {
    if (typeof options !== 'object' || (options as unknown) === null) {
      throw new errors.InvalidArgumentError('opts must be an object.')
    }
    if ('dispatcher' in options && options.dispatcher) {
      throw new errors.InvalidArgumentError('opts.dispatcher is not supported by instance methods.')
    }
    if (this.life.destroyed) throw new errors.ClientDestroyedError()
    if (this.life.closed) throw new errors.ClientClosedError()
    // The origin of a known upstream needs no parsing.
    const known = typeof options.origin === 'string' ? this.#upstreams.known(options.origin) : undefined
    const origin = known === undefined ? originOf(options) : String(options.origin)
    checkDispatchOptions(options, handler)
    const upstream = known ?? this.#upstreams.at(origin, options.method, pathOf(options))
    if (!this.#upstreams.isOpen(upstream)) throw this.#upstreams.refuseDraining(upstream, options.method, pathOf(options))
    const { retry, breaker, limit, deadline } = upstream.policy
    if (retry === false && breaker === false && limit === false) return this.#passthrough(upstream, origin, options, handler)
    const readTimeout = callerTimeout ?? upstream.policy.callerTimeout
    const uploadTimeout = callerTimeout ?? Math.min(readTimeout, deadline)
    const relayed = new RelayedRequest(options, handler, this.#onOver, { uploadTimeout, readTimeout })
    this.#active.add(relayed)
    return sendRelayed(this.#send, upstream, relayed)
  }

  /** Passes the request straight to the connections, as all protections are switched off. */
  #passthrough(upstream: Upstream, origin: string, options: DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { endpoints: { all }, policy } = upstream
    const endpoint = (all.find(one => one.origin === origin) ?? all[0]) as Endpoint
    const now = this.#env.clock.now()
    const watched = new PassthroughHandler(handler, request => {
      upstream.ended()
      this.#onOver(request)
    })
    upstream.began(now)
    this.#active.add(watched)
    try {
      return endpoint.pool.passthrough(options, watched, policy.headers, now)
    } catch (error) {
      // The caller's factory threw.
      watched.onResponseError(null, error as Error)
      return false
    }
  }

  async #finish(): Promise<void> {
    if (this.#active.size > 0) await new Promise<void>(resolve => { this.#onIdle.push(resolve) })
  }

  #abort(error: Error): void {
    for (const request of [...this.#active]) request.destroy(error)
  }

  readonly #onOver = (request: ActiveRequest): void => {
    this.#active.delete(request)
    if (this.#active.size > 0) return
    for (const resolve of this.#onIdle) resolve()
    this.#onIdle = []
  }
}

/**
 * The origin as the URL standard serialises it.
 * @throws what undici throws: an InvalidArgumentError, or the error of `new URL()`.
 */
function originOf({ origin }: DispatchOptions): string {
  if (!(origin instanceof URL) && (typeof origin !== 'string' || origin === '')) {
    throw new errors.InvalidArgumentError('opts.origin must be a non-empty string or URL.')
  }
  const url = new URL(origin)
  // An Agent sends no credentials of an origin either.
  url.username = url.password = ''
  try {
    return parseOrigin(url.href, 'opts.origin')
  } catch (error) {
    throw new errors.InvalidArgumentError((error as Error).message)
  }
}
