import { buildConnector, Pool as UndiciPool, type Dispatcher } from './undici.ts'
import type { Clock, Env } from '../clock.ts'
import type { Call } from '../call/call.ts'
import { isOneShot, type Body } from '../http/body.ts'
import type { PoolPolicy } from '../options/policy.ts'
import type { HeaderFields } from '../http/headers.ts'
import { TrackedConnector, lookup } from './connector.ts'
import type { Exchange, Transport } from './exchange.ts'
import type { RelayedRequest } from './relay.ts'
import {
  forbiddenOverHttp2, isStream, relayedHeaders, rereadable, withFields, type DispatchOptions,
} from './dispatch-options.ts'
import { sendable, watched } from './request-body.ts'
import { requestHeaders } from './request-headers.ts'
import { SteadyClient } from './steady-client.ts'

/** Sends an exchange again, on a connection it chooses. */
export type Replayer = Pick<Transport, 'replay'>

/**
 * How many endpoints use each dispatcher of a factory, those of all clients counted: the factory may return one, such as a proxy
 * agent, for all origins.
 */
const users = new WeakMap<Dispatcher, number>()

/** Closes a dispatcher; if it has been destroyed meanwhile, it is closed already. */
const closed = (dispatcher: Dispatcher): Promise<void> => dispatcher.close().catch((error: unknown) => {
  if ((error as { code?: unknown } | undefined)?.code !== 'UND_ERR_DESTROYED') throw error
})

/** The dispatcher of an endpoint: undici's pool, or the one `pool.factory` returns. */
export class EndpointDispatcher implements Transport {
  readonly clock: Clock
  readonly dispatcher: Dispatcher
  readonly #origin: string
  readonly #replayer: Replayer
  readonly #connector: TrackedConnector | undefined
  readonly #isHttp2Offered: boolean
  /** For undici's own timers, if its pool has a timer that must not apply to a request. */
  readonly #timeouts: Partial<DispatchOptions>
  #inUse = true

  constructor(origin: string, policy: PoolPolicy, env: Env, replayer: Replayer) {
    this.clock = env.clock
    this.#origin = origin
    this.#replayer = replayer
    this.#isHttp2Offered = policy.http2 && policy.factory === undefined
    this.#timeouts = this.#isHttp2Offered ? { headersTimeout: 0 } : {}
    if (policy.factory === undefined) {
      this.#connector = connectorOf(policy, env)
      this.dispatcher = undiciPool(origin, policy, this.#connector)
    } else {
      this.dispatcher = policy.factory(origin) as unknown as Dispatcher
      users.set(this.dispatcher, (users.get(this.dispatcher) ?? 0) + 1)
    }
  }

  /** Lets exchanges in flight finish, then closes the dispatcher, unless other endpoints use it. */
  async close(): Promise<void> {
    if (this.#leave()) await closed(this.dispatcher)
  }

  /** Ends exchanges in flight and closes the dispatcher now, unless other endpoints use it. */
  async destroy(): Promise<void> {
    if (this.#leave()) await this.dispatcher.destroy()
  }

  /** Stops using the dispatcher. @returns whether no other endpoint uses it */
  #leave(): boolean {
    const left = (users.get(this.dispatcher) ?? 1) - (this.#inUse ? 1 : 0)
    if (this.#inUse && this.#connector === undefined) users.set(this.dispatcher, left)
    this.#inUse = false
    return this.#connector !== undefined || left <= 0
  }

  passthrough(options: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields): boolean {
    const headersTimeout = options.headersTimeout ?? UNDICI_TIMEOUT
    const timeouts = this.#connector === undefined ? {} : { ...this.#bodyTimeout(options), headersTimeout }
    const headers = withFields(rereadable(options.headers), fields) ?? null
    return this.dispatcher.dispatch({ ...options, ...timeouts, headers, origin: this.#origin }, handler)
  }

  replay(call: Call, exchange: Exchange, stale: boolean): Transport {
    return this.#replayer.replay(call, exchange, stale)
  }

  wasOpenBefore(error: unknown, since: number): boolean {
    return this.#connector?.wasOpenBefore(error, since) === true
  }

  get isUndici(): boolean {
    return this.#connector !== undefined
  }

  get failing(): Error | undefined {
    return this.#connector?.failing
  }

  get isHttp2(): boolean {
    return this.#connector?.isHttp2 === true
  }

  dispatch(call: Call, exchange: Exchange): void {
    if (call.relay !== undefined) {
      this.#relay(call, call.relay as object as RelayedRequest, exchange)
      return
    }
    let body: ReturnType<typeof sendable> = null
    try {
      if (call.body !== undefined) body = sendable(call.body, call, error => { exchange.stop(error) })
      if (isOneShot(body ?? undefined)) exchange.watchUpload(body)
    } catch (error) {
      // The caller's factory threw: its error ends the call before anything is sent.
      exchange.stop(error)
      return
    }
    try {
      const headers = requestHeaders(call)
      if (this.#isHttp2Offered) exchange.forbidden = forbiddenOverHttp2(headers)
      this.dispatcher.dispatch({
        ...this.#timeouts,
        origin: this.#origin,
        path: call.target,
        method: call.method,
        headers,
        body: body as Body & Dispatcher.DispatchOptions['body'],
      }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  }

  #relay(call: Call, { options, headers, body, abort }: RelayedRequest, exchange: Exchange): void {
    const sent = body === undefined || isStream(body) ? options.body ?? null : watched(body, call, abort)
    if (body !== undefined) exchange.watchUpload(sent)
    try {
      const fields = relayedHeaders(headers ?? undefined, call) ?? null
      if (this.#isHttp2Offered) exchange.forbidden = forbiddenOverHttp2(fields)
      this.dispatcher.dispatch({
        ...options, ...this.#bodyTimeout(options), ...(options.headersTimeout === undefined ? this.#timeouts : {}),
        origin: this.#origin,
        headers: fields,
        body: sent as NonNullable<DispatchOptions['body']> | null,
      }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  }

  /** undici's own timeout between chunks, as a relayed body has no deadline. The dispatcher of a factory has its own. */
  #bodyTimeout(options: DispatchOptions): Partial<DispatchOptions> {
    return this.#connector === undefined ? {} : { bodyTimeout: options.bodyTimeout ?? UNDICI_TIMEOUT }
  }
}

/** undici's default timeout for the headers, and between two chunks of a body, in ms. */
const UNDICI_TIMEOUT = 300_000

const connectorOf = ({ tls, http2, socketPath, connectTimeout }: PoolPolicy, env: Env): TrackedConnector => new TrackedConnector(
  buildConnector({
    lookup, ...tls, allowH2: http2, timeout: 0, ...(socketPath === undefined ? {} : { socketPath }),
  } as buildConnector.BuildOptions),
  connectTimeout, env.clock,
)

const undiciPool = (origin: string, policy: PoolPolicy, { connect }: TrackedConnector): Dispatcher => new UndiciPool(origin, {
  connect,
  factory: (url, options) => new SteadyClient(url, options),
  connections: policy.connections === Infinity ? null : policy.connections,
  allowH2: policy.http2,
  keepAliveTimeout: policy.idleTimeout,
  keepAliveMaxTimeout: policy.maxIdleTimeout,
  // Every call has a deadline, which is exact and covers these; undici's own timers would only cost time. Over HTTP/2 this one
  // also ends the wait for a server that allows no streams, in which cancelled requests would stay in undici's queue forever.
  headersTimeout: policy.http2 ? policy.connectTimeout : 0,
  bodyTimeout: 0,
})
