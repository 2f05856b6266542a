import { buildConnector, Pool as UndiciPool, type Dispatcher } from './undici.ts'
import type { Env } from '../clock.ts'
import type { Call } from '../call/call.ts'
import type { Body } from '../http/body.ts'
import type { PoolPolicy } from '../options/policy.ts'
import type { HeaderFields } from '../http/headers.ts'
import { Connections, lookup } from './connector.ts'
import type { ConnectionEvents } from './connection-events.ts'
import type { Exchange, Transport } from './exchange.ts'
import { isStream, type RelayedRequest } from './relay.ts'
import { readable, relayHeaders, withFields, type DispatchOptions } from './dispatch-options.ts'
import { sendable, watched } from './request-body.ts'
import { requestHeaders } from './request-headers.ts'

/** Who finds a connection for what has to be sent once more. */
export type Replayer = Pick<Transport, 'replay'>

/** The dispatcher of an endpoint: undici's pool, or what `pool.factory` makes instead. */
export class Wire implements Transport {
  readonly dispatcher: Dispatcher
  readonly #origin: string
  readonly #replayer: Replayer
  readonly #connections: Connections | undefined

  constructor(origin: string, policy: PoolPolicy, env: Env, replayer: Replayer, events: ConnectionEvents) {
    this.#origin = origin
    this.#replayer = replayer
    if (policy.factory === undefined) {
      this.#connections = connectionsOf(policy, env)
      this.dispatcher = undiciPool(origin, policy, this.#connections)
    } else this.dispatcher = policy.factory(origin) as unknown as Dispatcher
    events.watch(this.dispatcher)
  }

  /** Time limits of undici's own, where ours do not go: a relayed body has no deadline. What a factory made has its own. */
  idle(asked: DispatchOptions): Partial<DispatchOptions> {
    return this.#connections === undefined ? {} : { bodyTimeout: asked.bodyTimeout ?? UNDICI_TIMEOUT }
  }

  pass(asked: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields): boolean {
    const headersTimeout = asked.headersTimeout ?? UNDICI_TIMEOUT
    const limits = this.#connections === undefined ? {} : { ...this.idle(asked), headersTimeout }
    const headers = withFields(readable(asked.headers), fields) ?? null
    return this.dispatcher.dispatch({ ...asked, ...limits, headers, origin: this.#origin }, handler)
  }

  replay(call: Call, exchange: Exchange, stale: boolean): Transport {
    return this.#replayer.replay(call, exchange, stale)
  }

  wasOpenBefore(error: unknown, since: number): boolean {
    return this.#connections?.wasOpenBefore(error, since) === true
  }

  get failing(): Error | undefined {
    return this.#connections?.failing
  }

  dispatch(call: Call, exchange: Exchange): void {
    if (call.relay !== undefined) {
      this.#relay(call, call.relay as RelayedRequest, exchange)
      return
    }
    let body: ReturnType<typeof sendable> = null
    try {
      if (call.body !== undefined) body = sendable(call.body, call, error => { exchange.stop(error) })
    } catch (error) {
      // The caller's factory threw: its own error ends the call, and nothing has begun.
      exchange.stop(error)
      return
    }
    try {
      this.dispatcher.dispatch({
        origin: this.#origin,
        path: call.target,
        method: call.method,
        headers: requestHeaders(call),
        body: body as Body & Dispatcher.DispatchOptions['body'],
      }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  }

  #relay(call: Call, { options, headers, body, giveUp }: RelayedRequest, exchange: Exchange): void {
    const sent = body === undefined || isStream(body) ? options.body ?? null : watched(body, call, giveUp)
    try {
      this.dispatcher.dispatch({
        ...options, ...this.idle(options),
        origin: this.#origin,
        headers: relayHeaders(headers ?? undefined, call) ?? null,
        body: sent as NonNullable<DispatchOptions['body']> | null,
      }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  }
}

/** What undici gives headers, and each pause of a body, unless it is told otherwise; in ms. */
const UNDICI_TIMEOUT = 300_000

const connectionsOf = ({ tls, http2, socketPath, connectTimeout }: PoolPolicy, env: Env): Connections => new Connections(
  buildConnector({
    lookup, ...tls, allowH2: http2, timeout: 0, ...(socketPath === undefined ? {} : { socketPath }),
  } as buildConnector.BuildOptions),
  connectTimeout, env.clock,
)

const undiciPool = (origin: string, policy: PoolPolicy, { connector }: Connections): Dispatcher => new UndiciPool(origin, {
  connect: connector,
  connections: policy.connections === Infinity ? null : policy.connections,
  allowH2: policy.http2,
  keepAliveTimeout: policy.idleTimeout,
  keepAliveMaxTimeout: policy.maxIdleTimeout,
  // A call always has a deadline of ours, which is exact and covers these; undici's own would only cost.
  headersTimeout: 0,
  bodyTimeout: 0,
})
