import {
  ConnectionError, DrainingError, LimitExceededError, OptionError, RejectedError, ResponseError, TimeoutError, UpstreamError,
} from '../outcome/errors.ts'
import { toGatewayStatus } from '../outcome/gateway-status.ts'
import type { Phase } from '../outcome/upstream-error.ts'

/** The error types of RFC 9209 §2.3 that a gateway reports, with the titles of their problems. */
export const TITLES = {
  connection_limit_reached: 'Concurrency limit reached: too many requests to the upstream',
  connection_refused: 'Connection refused by the upstream',
  connection_terminated: 'Connection closed by the upstream before it responded',
  connection_timeout: 'Timed out connecting to the upstream',
  destination_ip_unroutable: 'No route to the upstream',
  destination_not_found: 'No upstream for this request',
  destination_unavailable: 'Circuit open: upstream is considered unhealthy',
  dns_error: 'DNS lookup of the upstream failed',
  http_protocol_error: 'Invalid HTTP response from the upstream',
  http_request_error: 'Request could not be forwarded',
  http_response_body_size: 'Response body of the upstream is too large',
  http_response_header_section_size: 'Response header of the upstream is too large',
  http_response_incomplete: 'Incomplete response from the upstream',
  http_response_timeout: 'Timed out waiting for the upstream to respond',
  http_response_transfer_coding: 'Response of the upstream has an unsupported transfer coding',
  http_upgrade_failed: 'Upstream switched to an unexpected protocol',
  proxy_configuration_error: 'Gateway is not configured for this request',
  proxy_internal_error: 'Internal gateway error',
  tls_certificate_error: 'TLS certificate of the upstream is not trusted',
  tls_protocol_error: 'TLS handshake with the upstream failed',
} as const

/** An error type of RFC 9209. */
export type ProxyError = keyof typeof TITLES

/** Why the gateway responds in place of the upstream, and with what. */
export interface Cause {
  readonly status: number
  readonly error: ProxyError
  /** The code of the error, if it is an UpstreamError. */
  readonly code: string | undefined
  /** Whole seconds. */
  readonly retryAfter: number | undefined
  /** Whether the connection to the client should be closed after the response. */
  readonly closes: boolean
  /** The methods that are allowed, for a 405. */
  readonly allow?: string
}

/** Error types by the code or name of Node's or undici's error. */
const BY_REASON: readonly (readonly [reason: RegExp, error: ProxyError])[] = [
  [/^ECONNREFUSED$/, 'connection_refused'],
  [/^(?:ENOTFOUND|EAI_\w+)$/, 'dns_error'],
  [/^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'connection_timeout'],
  [/^(?:UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, 'http_response_timeout'],
  [/^(?:EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN)$/, 'destination_ip_unroutable'],
  [/CERT|UNABLE_TO_|_CRL_|^(?:HOSTNAME_MISMATCH|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH_EXCEEDED)$/, 'tls_certificate_error'],
  [/^(?:EPROTO|ERR_SSL_\w+|ERR_TLS_\w+)$/, 'tls_protocol_error'],
  [/^(?:HPE_\w+|HTTPParserError)$/, 'http_protocol_error'],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'http_response_header_section_size'],
  [/^(?:UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED|UND_ERR_REQ_CONTENT_LENGTH_MISMATCH)$/, 'http_request_error'],
  [/^(?:ECONNRESET|EPIPE|ECONNABORTED|UND_ERR_SOCKET|REFUSED_STREAM)$/, 'connection_terminated'],
]

/** Error types by the reason of a ResponseError. */
const BY_FLAW: readonly (readonly [flaw: RegExp, error: ProxyError])[] = [
  [/^headers too large/, 'http_response_header_section_size'],
  [/^body (?:too large|longer)/, 'http_response_body_size'],
  [/^truncated/, 'http_response_incomplete'],
]

const BY_PHASE: Readonly<Record<Phase, ProxyError>> = {
  'queue': 'connection_limit_reached', 'connect': 'connection_timeout', 'caller': 'http_request_error',
  'headers': 'http_response_timeout', 'body': 'http_response_timeout', 'back-off': 'http_response_timeout',
  'shared call': 'http_response_timeout',
}

/** The status that RFC 9209 recommends, for errors that are no UpstreamError, as with all protections switched off. */
const RECOMMENDED: Partial<Readonly<Record<ProxyError, number>>> = {
  connection_timeout: 504, http_response_timeout: 504, http_request_error: 400, proxy_internal_error: 500,
  proxy_configuration_error: 500, destination_not_found: 404, connection_limit_reached: 503,
}

const lookUp = (table: readonly (readonly [RegExp, ProxyError])[], text: string): ProxyError | undefined =>
  table.find(([expression]) => expression.test(text))?.[1]

/** The cause for an error. An unknown error is an internal error of the gateway. */
export function causeOf(error: unknown): Cause {
  const type = proxyErrorOf(error)
  if (!(error instanceof UpstreamError)) return causeBy(type)
  const { status, retryAfter } = toGatewayStatus(error)
  // After a 408 the rest of the request is not read; while draining, no further request is wanted.
  return { status, error: type, code: error.code, retryAfter, closes: status === 408 || error instanceof DrainingError }
}

/** The cause for an error type without an UpstreamError. */
export const causeBy = (error: ProxyError): Cause =>
  ({ status: RECOMMENDED[error] ?? 502, error, code: undefined, retryAfter: undefined, closes: false })

function proxyErrorOf(error: unknown): ProxyError {
  if (error instanceof LimitExceededError) return 'connection_limit_reached'
  if (error instanceof DrainingError) return 'proxy_internal_error'
  if (error instanceof RejectedError) return 'destination_unavailable'
  if (error instanceof TimeoutError) return BY_PHASE[error.phase]
  if (error instanceof ResponseError) return lookUp(BY_FLAW, error.reason) ?? 'http_protocol_error'
  if (error instanceof ConnectionError) {
    return error.blame === 'process' ? 'proxy_internal_error' : lookUp(BY_REASON, error.reason) ?? 'connection_terminated'
  }
  if (error instanceof OptionError) return 'proxy_configuration_error'
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; name?: unknown }
  return lookUp(BY_REASON, String(code)) ?? lookUp(BY_REASON, String(name)) ?? 'proxy_internal_error'
}
