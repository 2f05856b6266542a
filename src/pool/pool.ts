import type { Dispatcher } from 'undici'
import type { Env } from '../clock.ts'
import type { Body, Call } from '../call.ts'
import type { Send } from '../layer.ts'
import type { HeaderFields, PoolPolicy } from '../options.ts'
import { rejected } from '../sent.ts'
import { BufferedExchange } from './buffered.ts'
import { Connections, lookup } from './connect.ts'
import { ConnectionEvents } from './connection-events.ts'
import type { Exchange, Transport } from './exchange.ts'
import { isStream, type Relay } from './relay.ts'
import { readable, relayHeaders, withFields, type Asked } from './relay-request.ts'
import { RelayedExchange } from './relayed.ts'
import { sendable, watched } from './request-body.ts'
import { requestHeaders } from './request-headers.ts'
import { StreamedExchange } from './streamed.ts'
import { buildConnector, Pool as UndiciPool } from './undici.ts'

/** The connections to one endpoint. */
export interface Pool {
  /** One exchange on the wire. */
  readonly send: Send
  /** Hands a request of a dispatcher's caller to undici as it is, and what comes back to its handler. */
  pass(asked: Asked, handler: Dispatcher.DispatchHandler, fields: HeaderFields, now: number): boolean
  /** undici's own numbers of the connections, if there are any yet. */
  readonly stats: unknown
  /** Lets exchanges in flight finish, then closes the connections. */
  close(): Promise<void>
  /** Ends exchanges in flight and closes the connections now. */
  destroy(): Promise<void>
}

/** The dispatcher of an endpoint: undici's pool, or what `pool.factory` makes instead. */
class Wire implements Transport {
  readonly dispatcher: Dispatcher
  readonly replay: Transport['replay']
  readonly #origin: string
  readonly #connections: Connections | undefined

  constructor(origin: string, policy: PoolPolicy, env: Env, replay: Transport['replay'], events: ConnectionEvents) {
    this.#origin = origin
    this.replay = replay
    if (policy.factory === undefined) {
      this.#connections = connectionsOf(policy, env)
      this.dispatcher = undiciPool(origin, policy, this.#connections)
    } else this.dispatcher = policy.factory(origin) as unknown as Dispatcher
    events.watch(this.dispatcher)
  }

  /** Time limits of undici's own, where ours do not go: a relayed body has no deadline. What a factory made has its own. */
  idle(asked: Asked): Partial<Asked> {
    return this.#connections === undefined ? {} : { bodyTimeout: asked.bodyTimeout ?? UNDICI_TIMEOUT }
  }

  pass(asked: Asked, handler: Dispatcher.DispatchHandler, fields: HeaderFields): boolean {
    const headersTimeout = asked.headersTimeout ?? UNDICI_TIMEOUT
    const limits = this.#connections === undefined ? {} : { ...this.idle(asked), headersTimeout }
    const headers = withFields(readable(asked.headers), fields) ?? null
    return this.dispatcher.dispatch({ ...asked, ...limits, headers, origin: this.#origin }, handler)
  }

  wasOpenBefore(error: unknown, since: number): boolean {
    return this.#connections?.wasOpenBefore(error, since) === true
  }

  get failing(): Error | undefined {
    return this.#connections?.failing
  }

  dispatch(call: Call, exchange: Exchange): void {
    if (call.relay !== undefined) {
      this.#relay(call, call.relay as Relay, exchange)
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

  #relay(call: Call, { asked, headers, body, giveUp }: Relay, exchange: Exchange): void {
    const sent = body === undefined || isStream(body) ? asked.body ?? null : watched(body, call, giveUp)
    try {
      this.dispatcher.dispatch({
        ...asked, ...this.idle(asked),
        origin: this.#origin,
        headers: relayHeaders(headers ?? undefined, call) ?? null,
        body: sent as NonNullable<Asked['body']> | null,
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

/** Closes a dispatcher; one that somebody has destroyed meanwhile is closed enough. */
const closed = (dispatcher: Dispatcher): Promise<void> => dispatcher.close().catch((error: unknown) => {
  if ((error as { code?: unknown } | undefined)?.code !== 'UND_ERR_DESTROYED') throw error
})

/**
 * An undici pool as a {@link Send}, driven through `dispatch()`: no Readable is made for a buffered reply. It is made when
 * first needed, so that an upstream nobody calls holds no connection machinery, and made anew when it is older than
 * `maxAge`, so that changes of DNS are seen. (undici's own `clientTtl` asks the time of every connection at every request.)
 */
export function createPool(
  origin: string, policy: PoolPolicy, env: Env, events: ConnectionEvents = new ConnectionEvents(),
): Pool {
  let wire: Wire | undefined
  let retireAt = 0
  /** Those that only finish what they have, and when they will have. */
  const retiring = new Map<Wire, Promise<void>>()

  const wireAt = (now: number): Wire => {
    if (wire !== undefined && now < retireAt) return wire
    if (wire !== undefined) retire(wire)
    // What a factory made may be shared, and how it looks up names is its own affair.
    retireAt = policy.factory === undefined ? now + policy.maxAge : Infinity
    return (wire = new Wire(origin, policy, env, replay, events))
  }
  const replay: Transport['replay'] = (call, exchange, stale) => {
    // Other connections that are kept may be as stale: it gets one of its own, for this once.
    const isOwn = stale && policy.factory === undefined
    const used = isOwn ? new Wire(origin, { ...policy, connections: 1 }, env, replay, events) : wireAt(call.at)
    used.dispatch(call, exchange)
    if (isOwn) retire(used)
    return used
  }
  const retire = (old: Wire): void => {
    const gone = (): void => { retiring.delete(old) }
    retiring.set(old, old.dispatcher.close().then(gone, gone))
  }

  let older: Pool | undefined
  /** Connections without HTTP/2, for who asks for that: a WebSocket, or a `fetch` that knows nothing of it. */
  const withoutH2 = ({ allowH2 }: Asked): Pool | undefined => {
    if (allowH2 !== false || !policy.http2 || policy.factory !== undefined) return undefined
    return (older ??= createPool(origin, { ...policy, http2: false }, env, events))
  }

  return {
    send(call) {
      const other = call.relay === undefined ? undefined : withoutH2((call.relay as Relay).asked)
      if (other !== undefined) return other.send(call)
      let used: Wire
      try {
        used = wireAt(call.at)
      } catch (error) {
        // The caller's factory threw: its own error ends the call, and nothing has begun.
        return rejected(error)
      }
      const Exchange = call.streamed ? call.relay === undefined ? StreamedExchange : RelayedExchange : BufferedExchange
      const exchange = new Exchange(call, used)
      used.dispatch(call, exchange)
      return exchange.promise
    },
    pass: (asked, handler, fields, now) =>
      withoutH2(asked)?.pass(asked, handler, fields, now) ?? wireAt(now).pass(asked, handler, fields),
    get stats() {
      return (wire?.dispatcher as { stats?: unknown } | undefined)?.stats
    },
    async close() {
      await Promise.all([wire === undefined ? undefined : closed(wire.dispatcher), older?.close(), ...retiring.values()])
    },
    async destroy() {
      const all = wire === undefined ? [...retiring.keys()] : [wire, ...retiring.keys()]
      await Promise.all([older?.destroy(), ...all.map(({ dispatcher }) => dispatcher.destroy())])
    },
  }
}
