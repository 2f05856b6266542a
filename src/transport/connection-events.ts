import { EventEmitter } from 'node:events'
import type { DispatcherLike } from '../options/pool-options.ts'

/** The events that undici's dispatchers emit about their connections. */
export const CONNECTION_EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const

/** A listener for these events: the origin, the dispatchers that emitted it from the outermost in, and the error if any. */
export type ConnectionListener = (origin: URL, targets: readonly object[], error?: Error) => void

/** Emits the events of all connections of a client, so that listeners are independent of the pools. */
export class ConnectionEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  /** A dispatcher made by a factory may serve several origins. */
  readonly #watched = new WeakSet<object>()

  /** Forwards the events of a dispatcher, if it emits any. */
  watch(dispatcher: DispatcherLike): void {
    if (!(dispatcher instanceof EventEmitter) || this.#watched.has(dispatcher)) return
    this.#watched.add(dispatcher)
    for (const event of CONNECTION_EVENTS) {
      dispatcher.on(event, (...args: Parameters<ConnectionListener>) => { this.#emitter.emit(event, ...args) })
    }
  }

  on(event: string, listener: ConnectionListener): void {
    this.#emitter.on(event, listener)
  }

  off(event: string, listener: ConnectionListener): void {
    this.#emitter.off(event, listener)
  }
}
