import type { Env } from '../clock.ts'
import type { NamedUpstreamOptions, UpstreamOptions } from './upstream-options.ts'

/** Options of `createClient()`. */
export interface ClientOptions extends UpstreamOptions {
  /**
   * The client's name in events and metrics, by which several clients of one process are told apart.
   * @default `default` for the first client that has none, `default-2` for the next, and so on
   */
  readonly name?: string
  /**
   * Upstreams by name (with a `url`), by origin (`https://api.example.com`) or by a pattern of origins
   * (`https://*.search.internal`: one label or more in place of the star). Name or exact origin wins over pattern, the
   * longest pattern over the others, any of them over what is set for all.
   */
  readonly upstreams?: Readonly<Record<string, UpstreamOptions | NamedUpstreamOptions>>
  /**
   * Which origins may be called: `'any'`, `'configured'` (those in `upstreams`), or a list of origins and patterns.
   * @default 'any'
   */
  readonly allow?: 'any' | 'configured' | readonly string[]
  /** Upstreams remembered at most, besides those configured by name or origin. @default 1000 */
  readonly maxUpstreams?: number
  /** Time without a call after which an upstream is drained and forgotten, in ms. @default 300000 */
  readonly idleTimeout?: number
  /** Bytes of replies kept for `stale` at most, those of all upstreams together. @default 52428800 */
  readonly maxStaleSize?: number
  /** Time and chance; a test puts its own here. */
  readonly env?: Env
}
