import type { DispatcherCore } from './core.ts'
import { CONNECTION_EVENTS, type ConnectionEvents, type ConnectionListener } from '../../transport/connection-events.ts'
import { Dispatcher } from '../../transport/undici.ts'

/**
 * The client as an undici `Dispatcher`: whatever takes an undici Agent can use it, and its requests go the way of every other
 * call. Several may be made of one client; each counts, closes and destroys only what it has been given itself.
 *
 * It holds no `#private` of its own, as `compose()` makes a Proxy of it.
 *
 * @example
 * const { statusCode, body } = await client.dispatcher().request({ origin: 'http://orders.internal', path: '/7', method: 'GET' })
 */
export class ClientDispatcher extends Dispatcher {
  /** @internal */
  readonly core: DispatcherCore

  /** @internal */
  constructor(desk: DispatcherCore, events: ConnectionEvents) {
    super()
    this.core = desk
    for (const event of CONNECTION_EVENTS) forward(this, event, events)
  }

  /** Whether it takes no new requests. */
  get closed(): boolean {
    return this.core.closed
  }

  /** Whether it has ended all it had. */
  get destroyed(): boolean {
    return this.core.destroyed
  }

  /** undici's numbers of the connections of each origin the client has connections to. */
  get stats(): Record<string, unknown> {
    return this.core.stats()
  }

  /**
   * Dispatches a request. @returns false when it was refused in place, and, where all protections are off, when undici's own
   * pool says so; otherwise true, as it is the limit that queues.
   */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.core.dispatch(options, handler)
  }

  /** Takes no new requests and waits for its own to end. The client and its connections stay. */
  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | undefined {
    return calledBack(this.core.close(), callback)
  }

  /** Ends its own requests now, with this error or undici's ClientDestroyedError. The client and its connections stay. */
  override destroy(error?: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    if (typeof error === 'function') return calledBack(this.core.destroy(null), error)
    return calledBack(this.core.destroy(error ?? null), callback)
  }
}

function calledBack(done: Promise<void>, callback: ((error: unknown) => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return done
  done.then(() => { callback(null) }, callback)
  return undefined
}

/** Hands on an event of the client's connections while somebody listens to it; a dispatcher nobody holds is not kept. */
function forward(dispatcher: Dispatcher, event: (typeof CONNECTION_EVENTS)[number], events: ConnectionEvents): void {
  const tell: ConnectionListener = (origin, targets, error) => {
    (dispatcher.emit as (...told: unknown[]) => boolean).call(dispatcher, event, origin, [dispatcher, ...targets], error)
  }
  const emitter: NodeJS.EventEmitter = dispatcher
  emitter.on('newListener', name => { if (name === event && emitter.listenerCount(event) === 0) events.on(event, tell) })
  emitter.on('removeListener', name => { if (name === event && emitter.listenerCount(event) === 0) events.off(event, tell) })
}
