import { RejectedError, StatusError, TimeoutError, UpstreamError } from './errors.ts'

/** What a gateway should answer. */
export interface GatewayStatus {
  readonly status: number
  /** Whole seconds for a Retry-After header, if it is known when to try again. */
  readonly retryAfter: number | undefined
}

/**
 * What a gateway should answer when a call ended with this error (RFC 9110 §15.6): 503 for our own refusal, with a
 * Retry-After if known; 504 for a time-out; 502 for a failed connection or an invalid response; the upstream's own
 * status as it is.
 * Anything else is the gateway's own fault: 500.
 *
 * @example
 * const { status, retryAfter } = toGatewayStatus(error)
 */
export function toGatewayStatus(error: unknown): GatewayStatus {
  if (error instanceof RejectedError) {
    const { retryAfter } = error
    return { status: 503, retryAfter: retryAfter === undefined ? undefined : Math.max(1, Math.ceil(retryAfter / 1_000)) }
  }
  if (error instanceof TimeoutError) return { status: 504, retryAfter: undefined }
  if (error instanceof StatusError) return { status: error.status, retryAfter: undefined }
  if (error instanceof UpstreamError) return { status: 502, retryAfter: undefined }
  return { status: 500, retryAfter: undefined }
}
