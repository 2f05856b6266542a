import type { Dispatcher } from 'undici'
import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import type { PoolPolicy } from '../options/policy.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Reply } from '../outcome/reply.ts'
import { rejected } from '../call/completion.ts'
import { BufferedExchange } from './buffered-exchange.ts'
import { ConnectionEvents } from './connection-events.ts'
import type { Exchange } from './exchange.ts'
import type { RelayedRequest } from './relay.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import { RelayedExchange } from './relayed-exchange.ts'
import { StreamedExchange } from './streamed-exchange.ts'
import { Wire, type Replayer } from './wire.ts'

/** The connections to one endpoint. */
export interface Pool {
  /** One exchange on the wire. */
  send(call: Call): Promise<Reply>
  /** Hands a request of a dispatcher's caller to undici as it is, and what comes back to its handler. */
  passthrough(asked: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields, now: number): boolean
  /** undici's own numbers of the connections, if there are any yet. */
  readonly stats: unknown
  /** Lets exchanges in flight finish, then closes the connections. */
  close(): Promise<void>
  /** Ends exchanges in flight and closes the connections now. */
  destroy(): Promise<void>
}

/** Closes a dispatcher; one that somebody has destroyed meanwhile is closed enough. */
const closed = (dispatcher: Dispatcher): Promise<void> => dispatcher.close().catch((error: unknown) => {
  if ((error as { code?: unknown } | undefined)?.code !== 'UND_ERR_DESTROYED') throw error
})

/**
 * An undici pool as a {@link Send}, driven through `dispatch()`: no Readable is made for a buffered reply. It is made when
 * first needed, so that an upstream nobody calls holds no connection machinery, and made anew when it is older than
 * `maxAge`, so that changes of DNS are seen. (undici's own `clientTtl` asks the time of every connection at every request.)
 */
export class EndpointPool implements Pool, Replayer {
  readonly #origin: string
  readonly #policy: PoolPolicy
  readonly #env: Env
  readonly #events: ConnectionEvents
  #wire: Wire | undefined
  #retireAt = 0
  /** Those that only finish what they have, and when they will have. */
  #retiring: Map<Wire, Promise<void>> | undefined
  /** Connections without HTTP/2. */
  #older: EndpointPool | undefined

  constructor(origin: string, policy: PoolPolicy, env: Env, events: ConnectionEvents = new ConnectionEvents()) {
    this.#origin = origin
    this.#policy = policy
    this.#env = env
    this.#events = events
  }

  send(call: Call): Promise<Reply> {
    const other = call.relay === undefined ? undefined : this.#withoutH2((call.relay as RelayedRequest).options)
    if (other !== undefined) return other.send(call)
    let wire: Wire
    try {
      wire = this.#wireAt(call.at)
    } catch (error) {
      // The caller's factory threw: its own error ends the call, and nothing has begun.
      return rejected(error)
    }
    const Exchange = call.settings.streamed ? call.relay === undefined ? StreamedExchange : RelayedExchange : BufferedExchange
    const exchange = new Exchange(call, wire)
    wire.dispatch(call, exchange)
    return exchange.promise
  }

  passthrough(asked: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields, now: number): boolean {
    const other = this.#withoutH2(asked)
    return other === undefined ? this.#wireAt(now).pass(asked, handler, fields) : other.passthrough(asked, handler, fields, now)
  }

  /** Other connections that are kept may be as stale: what met one gets a connection of its own, for this once. */
  replay(call: Call, exchange: Exchange, stale: boolean): Wire {
    const isOwn = stale && this.#policy.factory === undefined
    const wire = isOwn ? this.#made({ ...this.#policy, connections: 1 }) : this.#wireAt(call.at)
    wire.dispatch(call, exchange)
    if (isOwn) this.#retire(wire)
    return wire
  }

  get stats(): unknown {
    return (this.#wire?.dispatcher as { stats?: unknown } | undefined)?.stats
  }

  async close(): Promise<void> {
    const wire = this.#wire
    await Promise.all([wire && closed(wire.dispatcher), this.#older?.close(), ...this.#retiring?.values() ?? []])
  }

  async destroy(): Promise<void> {
    const wires = [this.#wire, ...this.#retiring?.keys() ?? []]
    await Promise.all([this.#older?.destroy(), ...wires.map(wire => wire?.dispatcher.destroy())])
  }

  #wireAt(now: number): Wire {
    if (this.#wire !== undefined && now < this.#retireAt) return this.#wire
    if (this.#wire !== undefined) this.#retire(this.#wire)
    // What a factory made may be shared, and how it looks up names is its own affair.
    this.#retireAt = this.#policy.factory === undefined ? now + this.#policy.maxAge : Infinity
    return (this.#wire = this.#made(this.#policy))
  }

  #made(policy: PoolPolicy): Wire {
    return new Wire(this.#origin, policy, this.#env, this, this.#events)
  }

  #retire(old: Wire): void {
    const retiring = this.#retiring ??= new Map<Wire, Promise<void>>()
    const gone = (): void => { retiring.delete(old) }
    retiring.set(old, old.dispatcher.close().then(gone, gone))
  }

  /** For who asks for connections without HTTP/2: a WebSocket, or a `fetch` that knows nothing of it. */
  #withoutH2({ allowH2 }: DispatchOptions): EndpointPool | undefined {
    if (allowH2 !== false || !this.#policy.http2 || this.#policy.factory !== undefined) return undefined
    return (this.#older ??= new EndpointPool(this.#origin, { ...this.#policy, http2: false }, this.#env, this.#events))
  }
}
