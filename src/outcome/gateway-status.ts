import { ConnectionError, RejectedError, StatusError, TimeoutError, UpstreamError } from './errors.ts'

/** What a gateway should answer. */
export interface GatewayStatus {
  /** The status to answer with. */
  readonly status: number
  /** Whole seconds for a Retry-After header, if it is known when to try again. */
  readonly retryAfter: number | undefined
}

/** A connection that was not refused but not made either. */
const NO_CONNECTION_IN_TIME: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])

/**
 * What a gateway should answer when a call ended with this error (RFC 9110 §15.6): 503 for what this process itself
 * refused, had no time or no resources for, with a Retry-After if known; 504 for a time-out; 502 for a failed connection
 * or an invalid response; 408 when it was the caller's own request that did not come in time; the upstream's own status
 * and Retry-After as they are. Anything else is the gateway's own fault: 500.
 *
 * @example
 * const { status, retryAfter } = toGatewayStatus(error)
 * if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
 * response.writeHead(status).end()
 */
export function toGatewayStatus(error: unknown): GatewayStatus {
  if (error instanceof RejectedError) return { status: 503, retryAfter: secondsOf(error.retryAfter) }
  if (error instanceof TimeoutError) return { status: statusOfTimeout(error), retryAfter: undefined }
  if (error instanceof ConnectionError) return { status: statusOfConnection(error), retryAfter: undefined }
  if (error instanceof StatusError) return { status: error.status, retryAfter: secondsOf(error.reply.retryAfter) }
  if (error instanceof UpstreamError) return { status: 502, retryAfter: undefined }
  return { status: 500, retryAfter: undefined }
}

function statusOfTimeout({ phase }: TimeoutError): number {
  if (phase === 'caller') return 408
  return phase === 'queue' ? 503 : 504
}

function statusOfConnection({ blame, reason }: ConnectionError): number {
  if (blame === 'process') return 503
  return NO_CONNECTION_IN_TIME.has(reason) ? 504 : 502
}

/** Rounded up, as a client that comes back too early is refused again. */
const secondsOf = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.max(1, Math.ceil(ms / 1_000))
