import {
  ConnectionError, DrainingError, LimitExceededError, OptionError, RejectedError, ResponseError, TimeoutError, UpstreamError,
} from '../outcome/errors.ts'
import { toGatewayStatus } from '../outcome/gateway-status.ts'
import type { Phase } from '../outcome/upstream-error.ts'

/** The types of error that RFC 9209 §2.3 has for what can happen here, and their titles. */
export const TITLES = {
  connection_limit_reached: 'Too many calls of the upstream',
  connection_refused: 'The upstream refused the connection',
  connection_terminated: 'The upstream ended the connection without an answer',
  connection_timeout: 'No connection to the upstream in time',
  destination_ip_unroutable: 'There is no way to the upstream',
  destination_not_found: 'There is nothing here',
  destination_unavailable: 'The upstream is held to be ill and is not called',
  dns_error: 'The name of the upstream could not be looked up',
  http_protocol_error: 'The upstream answered with something that is not HTTP',
  http_request_error: 'The request could not be passed on',
  http_response_body_size: 'The answer of the upstream is too long',
  http_response_header_section_size: 'The header of the upstream\'s answer is too long',
  http_response_incomplete: 'The answer of the upstream broke off',
  http_response_timeout: 'No answer from the upstream in time',
  http_upgrade_failed: 'The upstream changed to another protocol',
  proxy_configuration_error: 'The gateway is not set up for this request',
  proxy_internal_error: 'The gateway itself failed',
  tls_certificate_error: 'The certificate of the upstream is not trusted',
  tls_protocol_error: 'No secure connection to the upstream',
} as const

/** A type of error of RFC 9209. */
export type ProxyError = keyof typeof TITLES

/** Why a request was not answered by its upstream, and what is answered instead. */
export interface Cause {
  readonly status: number
  readonly error: ProxyError
  /** Our own error's code, if it is one of ours. */
  readonly code: string | undefined
  /** Whole seconds. */
  readonly retryAfter: number | undefined
  /** Whether the connection to the client should not be used again. */
  readonly last: boolean
}

/** By what Node or undici call it. */
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

/** By what a ResponseError says was wrong. */
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

/** What our errors are not there for, as with all protections off: the status that RFC 9209 recommends for each. */
const RECOMMENDED: Partial<Readonly<Record<ProxyError, number>>> = {
  connection_timeout: 504, http_response_timeout: 504, http_request_error: 400, proxy_internal_error: 500,
  proxy_configuration_error: 500, destination_not_found: 404, connection_limit_reached: 503,
}

const found = (table: readonly (readonly [RegExp, ProxyError])[], text: string): ProxyError | undefined =>
  table.find(([expression]) => expression.test(text))?.[1]

/** The cause an error stands for. Total: what nothing is known of is the gateway's own failure. */
export function causeOf(error: unknown): Cause {
  const kind = proxyErrorOf(error)
  if (!(error instanceof UpstreamError)) {
    return { status: RECOMMENDED[kind] ?? 502, error: kind, code: undefined, retryAfter: undefined, last: false }
  }
  const { status, retryAfter } = toGatewayStatus(error)
  // Who waits for its own client has no use for the rest; who is closing wants no more requests.
  return { status, error: kind, code: error.code, retryAfter, last: status === 408 || error instanceof DrainingError }
}

/** A cause that no error stands for. */
export const causeBy = (error: ProxyError): Cause =>
  ({ status: RECOMMENDED[error] ?? 502, error, code: undefined, retryAfter: undefined, last: false })

function proxyErrorOf(error: unknown): ProxyError {
  if (error instanceof LimitExceededError) return 'connection_limit_reached'
  if (error instanceof DrainingError) return 'proxy_internal_error'
  if (error instanceof RejectedError) return 'destination_unavailable'
  if (error instanceof TimeoutError) return BY_PHASE[error.phase]
  if (error instanceof ResponseError) return found(BY_FLAW, error.reason) ?? 'http_protocol_error'
  if (error instanceof ConnectionError) {
    return error.blame === 'process' ? 'proxy_internal_error' : found(BY_REASON, error.reason) ?? 'connection_terminated'
  }
  if (error instanceof OptionError) return 'proxy_configuration_error'
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; name?: unknown }
  return found(BY_REASON, String(code)) ?? found(BY_REASON, String(name)) ?? 'proxy_internal_error'
}
