import type { HeaderFields } from '../http/headers.ts'
import type { UpstreamError } from '../outcome/errors.ts'
import type { Reply } from '../outcome/reply.ts'

/** What a {@link Fallback} is told of the call it stands in for. */
export interface FallbackRequest {
  /** The upstream's name, or its origin. */
  readonly upstream: string
  /** The method, in upper case. */
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Header fields of the call, names in lower case; those of the upstream's options are not among them. */
  readonly headers: HeaderFields
  /** What remains of the call's deadline, in ms, at least 1. */
  readonly deadline: number
  /** The caller's own signal, if there is one. */
  readonly signal: AbortSignal | undefined
}

/** A reply put together by a {@link Fallback}. */
export interface FallbackReply {
  /** The status; 200 if nothing is said. */
  readonly status?: number
  /** Header fields. */
  readonly headers?: HeaderFields
  /** A value, given as JSON. */
  readonly json?: unknown
  /** A body, in place of `json`. */
  readonly body?: string | Uint8Array
}

/**
 * Answers in place of an upstream that can't: with a reply put together, with one from elsewhere, or with undefined,
 * which leaves the caller with the error.
 *
 * @example
 * createClient({ upstreams: { prices: { url, fallback: (_error, { method }) => method === 'GET' ? { json: [] } : undefined } } })
 */
export type Fallback = (error: UpstreamError, request: FallbackRequest) =>
  Reply | FallbackReply | undefined | Promise<Reply | FallbackReply | undefined>
