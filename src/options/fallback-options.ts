import type { HeaderFields } from '../http/headers.ts'
import type { UpstreamError } from '../outcome/errors.ts'
import type { Reply } from '../outcome/reply.ts'

/** The call that a {@link Fallback} answers. */
export interface FallbackRequest {
  /** The upstream's name, or its origin. */
  readonly upstream: string
  /** The method, in upper case. */
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Header fields of the call, names in lower case, without those of the upstream's options. */
  readonly headers: HeaderFields
  /** Time left until the call's deadline, in ms, at least 1. */
  readonly deadline: number
  /** The caller's signal, if there is one. */
  readonly signal: AbortSignal | undefined
}

/** A reply composed by a {@link Fallback}. */
export interface FallbackReply {
  /** The status. @default 200 */
  readonly status?: number
  /** Header fields. */
  readonly headers?: HeaderFields
  /** A value to reply with as JSON; not together with `body`. */
  readonly json?: unknown
  /** The body; not together with `json`. */
  readonly body?: string | Uint8Array
}

/**
 * Answers in place of an upstream that fails: with a composed reply, with the reply of another call, or with undefined, which
 * rejects the call with the error.
 *
 * @example
 * createClient({ upstreams: { prices: { url, fallback: (_error, { method }) => method === 'GET' ? { json: [] } : undefined } } })
 */
export type Fallback = (error: UpstreamError, request: FallbackRequest) =>
  Reply | FallbackReply | undefined | Promise<Reply | FallbackReply | undefined>
