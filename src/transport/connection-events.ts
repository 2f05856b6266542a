import { EventEmitter } from 'node:events'
import type { DispatcherLike } from '../options/pool-options.ts'

/** What undici's dispatchers tell of their connections. */
export const CONNECTION_EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const

/** Hears one event: the origin, who told of it from the outermost in, and the error if there is one. */
export type ConnectionListener = (origin: URL, targets: readonly object[], error?: Error) => void

/** The events of all connections of a client, in one place: pools come and go, those who listen need not care. */
export class ConnectionEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  /** One dispatcher may serve several origins, when a factory made it. */
  readonly #watched = new WeakSet<object>()

  /** Takes in the events of a dispatcher, if it has any. */
  watch(dispatcher: DispatcherLike): void {
    if (!(dispatcher instanceof EventEmitter) || this.#watched.has(dispatcher)) return
    this.#watched.add(dispatcher)
    for (const event of CONNECTION_EVENTS) {
      dispatcher.on(event, (...told: Parameters<ConnectionListener>) => { this.#emitter.emit(event, ...told) })
    }
  }

  on(event: string, listener: ConnectionListener): void {
    this.#emitter.on(event, listener)
  }

  off(event: string, listener: ConnectionListener): void {
    this.#emitter.off(event, listener)
  }
}
