import { RejectedError, StatusError, TimeoutError, UpstreamError } from './errors.ts'

/** What a gateway should answer. */
export interface GatewayStatus {
  /** The status to answer with. */
  readonly status: number
  /** Whole seconds for a Retry-After header, if it is known when to try again. */
  readonly retryAfter: number | undefined
}

/**
 * What a gateway should answer when a call ended with this error (RFC 9110 §15.6): 503 for our own refusal, with a
 * Retry-After if known; 504 for a time-out; 502 for a failed connection or an invalid response; the upstream's own
 * status and Retry-After as they are. Anything else is the gateway's own fault: 500.
 *
 * @example
 * const { status, retryAfter } = toGatewayStatus(error)
 * if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
 * response.writeHead(status).end()
 */
export function toGatewayStatus(error: unknown): GatewayStatus {
  if (error instanceof RejectedError) return { status: 503, retryAfter: secondsOf(error.retryAfter) }
  if (error instanceof TimeoutError) return { status: 504, retryAfter: undefined }
  if (error instanceof StatusError) return { status: error.status, retryAfter: secondsOf(error.reply.retryAfter) }
  if (error instanceof UpstreamError) return { status: 502, retryAfter: undefined }
  return { status: 500, retryAfter: undefined }
}

/** Rounded up, as a client that comes back too early is refused again. */
const secondsOf = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.max(1, Math.ceil(ms / 1_000))
