import { restoreGlobals } from './host-globals.ts'
import { buildConnector, Pool as UndiciPool, type Dispatcher } from 'undici'
import type { Env } from '../clock.ts'
import type { Body, Call } from '../call.ts'
import type { Send } from '../layer.ts'
import type { PoolPolicy } from '../options.ts'
import type { Reply } from '../reply.ts'
import { rejected, watchable } from '../sent.ts'
import { BufferedExchange } from './buffered.ts'
import { Connections, lookup } from './connect.ts'
import type { Exchange, Transport } from './exchange.ts'
import { sendable } from './request-body.ts'
import { requestHeaders } from './request-headers.ts'
import { StreamedExchange } from './streamed.ts'

restoreGlobals()

/** The connections to one endpoint. */
export interface Pool {
  /** One exchange on the wire. */
  readonly send: Send
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

  constructor(origin: string, policy: PoolPolicy, env: Env, replay: Transport['replay']) {
    this.#origin = origin
    this.replay = replay
    if (policy.factory === undefined) {
      this.#connections = connectionsOf(policy, env)
      this.dispatcher = undiciPool(origin, policy, this.#connections)
    } else this.dispatcher = policy.factory(origin) as unknown as Dispatcher
  }

  wasOpenBefore(error: unknown, since: number): boolean {
    return this.#connections?.wasOpenBefore(error, since) === true
  }

  get failing(): Error | undefined {
    return this.#connections?.failing
  }

  dispatch(call: Call, exchange: Exchange): void {
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
}

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
export function createPool(origin: string, policy: PoolPolicy, env: Env): Pool {
  let wire: Wire | undefined
  let retireAt = 0
  /** Those that only finish what they have, and when they will have. */
  const retiring = new Map<Wire, Promise<void>>()

  const wireAt = (now: number): Wire => {
    if (wire !== undefined && now < retireAt) return wire
    if (wire !== undefined) retire(wire)
    // What a factory made may be shared, and how it looks up names is its own affair.
    retireAt = policy.factory === undefined ? now + policy.maxAge : Infinity
    return (wire = new Wire(origin, policy, env, replay))
  }
  const replay: Transport['replay'] = (call, exchange, stale) => {
    // Other connections that are kept may be as stale: it gets one of its own, for this once.
    const isOwn = stale && policy.factory === undefined
    const used = isOwn ? new Wire(origin, { ...policy, connections: 1 }, env, replay) : wireAt(call.at)
    used.dispatch(call, exchange)
    if (isOwn) retire(used)
    return used
  }
  const retire = (old: Wire): void => {
    const gone = (): void => { retiring.delete(old) }
    retiring.set(old, old.dispatcher.close().then(gone, gone))
  }

  return {
    send(call) {
      let used: Wire
      try {
        used = wireAt(call.at)
      } catch (error) {
        // The caller's factory threw: its own error ends the call, and nothing has begun.
        return rejected(error)
      }
      let exchange!: Exchange
      const sent = new Promise<Reply>((resolve, reject) => {
        exchange = new (call.streamed ? StreamedExchange : BufferedExchange)(call, used, resolve, reject)
      })
      used.dispatch(call, exchange)
      return watchable(sent, exchange)
    },
    async close() {
      await Promise.all([wire === undefined ? undefined : closed(wire.dispatcher), ...retiring.values()])
    },
    async destroy() {
      const all = wire === undefined ? [...retiring.keys()] : [wire, ...retiring.keys()]
      await Promise.all(all.map(({ dispatcher }) => dispatcher.destroy()))
    },
  }
}
