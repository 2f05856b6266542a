import type { Dispatcher } from 'undici'
import { Client } from './undici.ts'

/**
 * A connection of a pool, which a refused request leaves usable. undici returns false from `dispatch()` both if a connection is
 * busy and if the request cannot be built; a pool then waits for the connection to become free again, which after a refusal
 * never happens, as nothing was sent on it.
 */
export class SteadyClient extends Client {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { size } = this.stats
    // Not taken on: the connection is as free as it was.
    return super.dispatch(options, handler) || (this.stats.size === size && !this.closed && !this.destroyed)
  }
}
