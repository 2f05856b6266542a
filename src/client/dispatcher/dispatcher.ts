import type { DispatcherCore } from './core.ts'
import { CONNECTION_EVENTS, type ConnectionEvents, type ConnectionListener } from '../../transport/connection-events.ts'
import { Dispatcher } from '../../transport/undici.ts'

/**
 * The client as an undici `Dispatcher`: it can be used wherever an undici Agent is accepted, and its requests have the same
 * protections as every other call. A client may have several dispatchers; each tracks, closes and destroys only its own requests.
 *
 * It has no `#private` members, as `compose()` wraps it in a Proxy.
 *
 * @example
 * const { statusCode, body } = await client.dispatcher().request({ origin: 'http://orders.internal', path: '/7', method: 'GET' })
 */
export class ClientDispatcher extends Dispatcher {
  /** @internal */
  readonly core: DispatcherCore

  /** @internal */
  constructor(core: DispatcherCore, events: ConnectionEvents) {
    super()
    this.core = core
    for (const event of CONNECTION_EVENTS) forward(this, event, events)
  }

  /** Whether it takes no new requests. */
  get closed(): boolean {
    return this.core.life.closed
  }

  /** Whether all its requests have ended. */
  get destroyed(): boolean {
    return this.core.life.destroyed
  }

  /** undici's statistics of the client's connections, by origin. */
  get stats(): Record<string, unknown> {
    return this.core.stats()
  }

  /**
   * Dispatches a request.
   * @returns false when the request was refused at once, or, if all protections are switched off, when undici's pool returns
   * false; otherwise true, as the limit does the queueing.
   */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.core.dispatch(options, handler)
  }

  /** Takes no new requests and waits for its own to end. The client and its connections stay. */
  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | undefined {
    return this.core.life.close(callback) as Promise<unknown> as Promise<void> | undefined
  }

  /** Ends its own requests now, with this error or undici's ClientDestroyedError. The client and its connections stay. */
  override destroy(error?: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    return this.core.life.destroy(error, callback) as Promise<unknown> as Promise<void> | undefined
  }
}

/**
 * Forwards an event of the client's connections while the dispatcher has listeners for it, so that an unused dispatcher can be
 * garbage collected.
 */
function forward(dispatcher: Dispatcher, event: (typeof CONNECTION_EVENTS)[number], events: ConnectionEvents): void {
  const emit: ConnectionListener = (origin, targets, error) => {
    (dispatcher.emit as (...args: unknown[]) => boolean).call(dispatcher, event, origin, [dispatcher, ...targets], error)
  }
  const emitter: NodeJS.EventEmitter = dispatcher
  emitter.on('newListener', name => { if (name === event && emitter.listenerCount(event) === 0) events.on(event, emit) })
  emitter.on('removeListener', name => { if (name === event && emitter.listenerCount(event) === 0) events.off(event, emit) })
}
