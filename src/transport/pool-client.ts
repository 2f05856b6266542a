import type { Dispatcher } from 'undici'
import { Client } from './undici.ts'

/**
 * A connection of a pool. undici's pool never again uses one whose `dispatch()` returned false as it refused the request, rather
 * than as it is busy: each such request would take a connection away, over HTTP/2 the only one.
 */
export class PoolClient extends Client {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { size } = this.stats
    // A refused request is not among those of the client.
    return super.dispatch(options, handler) || this.stats.size === size
  }
}
