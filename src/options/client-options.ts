import type { Env } from '../clock.ts'
import type { NamedUpstreamOptions, UpstreamOptions } from './upstream-options.ts'

/** Options of `createClient()`. */
export interface ClientOptions extends UpstreamOptions {
  /**
   * Name of the client in events and metrics, which tells the clients of one process apart.
   * @default `default` for the first client without a name, `default-2` for the next, and so on
   */
  readonly name?: string
  /**
   * Upstreams, keyed by a name (with a `url`), by an origin (`https://api.example.com`) or by a pattern of origins
   * (`https://*.search.internal`, where `*` stands for one or more labels). A name or exact origin takes precedence over a
   * pattern, a longer pattern over a shorter one, and each of them over the options for all upstreams.
   */
  readonly upstreams?: Readonly<Record<string, UpstreamOptions | NamedUpstreamOptions>>
  /**
   * Origins that may be called: `'any'`, `'configured'` (those in `upstreams`), or a list of origins and patterns.
   * @default 'any'
   */
  readonly allow?: 'any' | 'configured' | readonly string[]
  /** Maximum number of upstreams remembered besides those configured by name or origin. @default 1000 */
  readonly maxUpstreams?: number
  /** Time without a call after which an upstream that is not configured is drained and forgotten, in ms. @default 300000 */
  readonly idleTimeout?: number
  /** Maximum total size of the replies kept for `stale`, in bytes, for all upstreams together. @default 52428800 */
  readonly maxStaleSize?: number
  /** Clock and source of random numbers, to be replaced in tests. */
  readonly env?: Env
}
