import type { Body } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Fallback } from './fallback-options.ts'
import type { RetryOptions } from './retry-options.ts'
import type { Priority } from './upstream-options.ts'

/** A value of a query: arrays repeat the name, undefined leaves it out. */
export type QueryValue = string | number | boolean | undefined | readonly (string | number | boolean)[]

/** Options of one call. They stand over the upstream's. */
export interface CallOptions {
  /** Added to the URL's own query. */
  readonly query?: string | URLSearchParams | Readonly<Record<string, QueryValue>>
  /** Header fields: an object, or anything with pairs in it, as `Headers` has. */
  readonly headers?: HeaderFields | Iterable<readonly [string, string]>
  /** A value to send as JSON. */
  readonly json?: unknown
  /** A body: string, bytes, a stream, an async iterable, or a function that makes one of them for each attempt. */
  readonly body?: Body
  /** Ends the call with the signal's own reason. */
  readonly signal?: AbortSignal | undefined
  /** Longest time this call may take, in ms. */
  readonly deadline?: number
  /** Longest time one attempt may take, in ms. */
  readonly attemptTimeout?: number
  /** Retries of this call; false: none. */
  readonly retry?: Pick<RetryOptions, 'limit' | 'methods' | 'statuses'> | false
  /** Makes the call repeatable whatever its method; sent as `idempotency-key`. */
  readonly idempotencyKey?: string
  /** Whether a status of 400 or more ends in a StatusError. */
  readonly throwOnStatus?: boolean
  /** Longest body of the reply, in bytes after decoding. */
  readonly maxBodySize?: number
  /** Whether a coded body (gzip, deflate, br, zstd) is decoded; if not, it comes as it is on the wire. By default it is. */
  readonly decode?: boolean
  /** Redirects followed at most. */
  readonly redirects?: number
  /** False: no second attempt beside a slow one, though the upstream's options allow it. */
  readonly hedge?: false
  /** How much it matters when there are not enough permits: who is served first, and who is shed last. */
  readonly priority?: Priority
  /** false: shares its flight with no equal call. */
  readonly coalesce?: false
  /** false: no stale reply may stand in for its own. */
  readonly stale?: false
  /** Answers in place of the upstream when it can't; false: nothing does, not even what is set for the upstream. */
  readonly fallback?: Fallback | false
}
