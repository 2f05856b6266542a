import { ConnectionError, RejectedError, StatusError, TimeoutError, UpstreamError } from './errors.ts'

/** The response a gateway should send. */
export interface GatewayStatus {
  /** The status code. */
  readonly status: number
  /** Whole seconds for a Retry-After header, if it is known when to try again. */
  readonly retryAfter: number | undefined
}

/** Codes of a connection that timed out: as it was made, or by the `headersTimeout` of an Agent that `pool.factory` returned. */
const CONNECTION_TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT'])

/**
 * The status a gateway should respond with when a call ended with this error (RFC 9110 §15.6):
 *
 * - 503 when this process refused the call, or had no time or resources for it; with a Retry-After if known;
 * - 504 for a timeout;
 * - 502 for a failed connection or an invalid response;
 * - 408 when the caller did not finish its own request in time;
 * - the upstream's own status and Retry-After, unchanged, for a status error;
 * - 500 for anything else: the fault is the gateway's own.
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
  return CONNECTION_TIMEOUTS.has(reason) ? 504 : 502
}

/** Rounded up, because a client that retries too early is refused again. */
const secondsOf = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.max(1, Math.ceil(ms / 1_000))
