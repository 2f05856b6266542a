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
import { EndpointDispatcher, type Replayer } from './endpoint-dispatcher.ts'

/** The connections to one endpoint. */
export interface Pool {
  /** Sends one attempt of a call. */
  send(call: Call): Promise<Reply>
  /** Passes a request of a dispatcher's caller to undici unchanged, and the response to its handler. */
  passthrough(options: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields, now: number): boolean
  /** undici's statistics of the connections, if there are any yet. */
  readonly stats: unknown
  /** Lets exchanges in flight finish, then closes the connections. */
  close(): Promise<void>
  /** Ends exchanges in flight and closes the connections now. */
  destroy(): Promise<void>
}

/**
 * An undici pool, driven through `dispatch()`, so that a buffered reply needs no Readable. The pool is created at the first call,
 * so that an upstream that is never called has no connection machinery, and replaced when it is older than `maxAge`, so that DNS
 * changes are noticed. (undici's own `clientTtl` checks the age of every connection at every request.)
 */
export class EndpointPool implements Pool, Replayer {
  readonly #origin: string
  readonly #policy: PoolPolicy
  readonly #env: Env
  readonly #events: ConnectionEvents
  #current: EndpointDispatcher | undefined
  #retireAt = 0
  /** Dispatchers that only finish their requests, with the promise of their end. */
  #retiring: Map<EndpointDispatcher, Promise<void>> | undefined
  /** Connections without HTTP/2. */
  #http1: EndpointPool | undefined

  constructor(origin: string, policy: PoolPolicy, env: Env, events: ConnectionEvents = new ConnectionEvents()) {
    this.#origin = origin
    this.#policy = policy
    this.#env = env
    this.#events = events
  }

  send(call: Call): Promise<Reply> {
    const http1 = call.relay === undefined ? undefined : this.#http1Pool((call.relay as object as RelayedRequest).options)
    if (http1 !== undefined) return http1.send(call)
    let dispatcher: EndpointDispatcher
    try {
      dispatcher = this.#dispatcherAt(call.at)
    } catch (error) {
      // The caller's factory threw: its error ends the call before anything is sent.
      return rejected(error)
    }
    const Exchange = call.settings.streamed ? call.relay === undefined ? StreamedExchange : RelayedExchange : BufferedExchange
    const exchange = new Exchange(call, dispatcher)
    dispatcher.dispatch(call, exchange)
    return exchange.promise
  }

  passthrough(options: DispatchOptions, handler: Dispatcher.DispatchHandler, fields: HeaderFields, now: number): boolean {
    const http1 = this.#http1Pool(options)
    if (http1 !== undefined) return http1.passthrough(options, handler, fields, now)
    return this.#dispatcherAt(now).passthrough(options, handler, fields)
  }

  /** After a stale connection the request gets a connection of its own, as the other kept-alive ones may be stale as well. */
  replay(call: Call, exchange: Exchange, stale: boolean): EndpointDispatcher {
    const isOwn = stale && this.#policy.factory === undefined
    const dispatcher = isOwn ? this.#create({ ...this.#policy, connections: 1 }) : this.#dispatcherAt(call.at)
    dispatcher.dispatch(call, exchange)
    if (isOwn) this.#retire(dispatcher)
    return dispatcher
  }

  get stats(): unknown {
    return (this.#current?.dispatcher as { stats?: unknown } | undefined)?.stats
  }

  async close(): Promise<void> {
    const current = this.#current
    await Promise.all([current?.close(), this.#http1?.close(), ...this.#retiring?.values() ?? []])
  }

  async destroy(): Promise<void> {
    const all = [this.#current, ...this.#retiring?.keys() ?? []]
    await Promise.all([this.#http1?.destroy(), ...all.map(one => one?.destroy())])
  }

  #dispatcherAt(now: number): EndpointDispatcher {
    if (this.#current !== undefined && now < this.#retireAt) return this.#current
    if (this.#current !== undefined) this.#retire(this.#current)
    // A dispatcher from a factory may be shared, and does its own DNS lookups.
    this.#retireAt = this.#policy.factory === undefined ? now + this.#policy.maxAge : Infinity
    return (this.#current = this.#create(this.#policy))
  }

  #create(policy: PoolPolicy): EndpointDispatcher {
    const created = new EndpointDispatcher(this.#origin, policy, this.#env, this)
    this.#events.watch(created.dispatcher)
    return created
  }

  #retire(old: EndpointDispatcher): void {
    const retiring = this.#retiring ??= new Map<EndpointDispatcher, Promise<void>>()
    const done = (): void => { retiring.delete(old) }
    retiring.set(old, old.close().then(done, done))
  }

  /** The pool for a request that rules out HTTP/2: for a WebSocket, or from a `fetch` without support for it. */
  #http1Pool({ allowH2 }: DispatchOptions): EndpointPool | undefined {
    if (allowH2 !== false || !this.#policy.http2 || this.#policy.factory !== undefined) return undefined
    return (this.#http1 ??= new EndpointPool(this.#origin, { ...this.#policy, http2: false }, this.#env, this.#events))
  }
}
