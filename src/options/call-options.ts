import type { Body } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Fallback } from './fallback-options.ts'
import type { RetryOptions } from './retry-options.ts'
import type { Priority } from './upstream-options.ts'

/** A query parameter: an array repeats the name, undefined omits it. */
export type QueryValue = string | number | boolean | undefined | readonly (string | number | boolean)[]

/** Options of one call. They take precedence over those of its upstream. */
export interface CallOptions {
  /** Query parameters, added to those of the URL. */
  readonly query?: string | URLSearchParams | Readonly<Record<string, QueryValue>>
  /** Header fields, which override the upstream's: an object, or an iterable of pairs such as `Headers`. */
  readonly headers?: HeaderFields | Iterable<readonly [string, string]>
  /** A value to send as JSON; not together with `body`. */
  readonly json?: unknown
  /** The body: a string, bytes, a stream, an async iterable, or a function that returns one of these for each attempt. */
  readonly body?: Body
  /** Aborts the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Maximum duration of the call in all, in ms: waiting, retries and redirects included. @default the upstream's */
  readonly deadline?: number
  /** Maximum duration of one attempt, in ms; at most the deadline. @default the upstream's, or the deadline if less */
  readonly attemptTimeout?: number
  /** Retries: `limit`, `methods` and `statuses` as for an upstream; false: none. @default the upstream's */
  readonly retry?: Pick<RetryOptions, 'limit' | 'methods' | 'statuses'> | false
  /** Makes the call repeatable whatever its method; sent as the header `idempotency-key`. */
  readonly idempotencyKey?: string
  /** Whether a status of 400 or above rejects the call with a StatusError. @default the upstream's */
  readonly throwOnStatus?: boolean
  /** Maximum size of the reply's body, in bytes after decoding. @default the upstream's; none for a streamed reply */
  readonly maxBodySize?: number
  /** Whether a compressed body (gzip, deflate, br, zstd) is decoded; false: it is delivered as received. @default true */
  readonly decode?: boolean
  /** Maximum number of redirects that are followed. @default the upstream's */
  readonly redirects?: number
  /** false: no second attempt, even if the upstream's options enable hedging. */
  readonly hedge?: false
  /** Priority when permits are scarce: which calls are served first, and which are shed last. @default the upstream's */
  readonly priority?: Priority
  /** false: does not share the request of an equal call. */
  readonly coalesce?: false
  /** false: no stale reply is served in place of its own. */
  readonly stale?: false
  /** Answers in place of an upstream that fails; false: none, not even the upstream's. @default the upstream's */
  readonly fallback?: Fallback | false
}
