import type { ServerResponse } from 'node:http'
import { TITLES, type Cause } from './cause.ts'
import { proxyStatus } from './proxy-status.ts'

/** The registry that explains the error types. */
const REGISTRY = 'https://www.iana.org/assignments/http-proxy-status#'

/**
 * Responds with a problem (RFC 9457), and with a Proxy-Status for proxies on the way. Both name the upstream; neither contains
 * its address or the message of the error.
 */
export function sendProblem(res: ServerResponse, cause: Cause, upstream: string | undefined, via: string): void {
  const { status, error, code, retryAfter, closes, allow } = cause
  const title = TITLES[error]
  const body = JSON.stringify({ type: REGISTRY + error, title, status, upstream, code, retryAfter })
  res.writeHead(status, [
    'content-type', 'application/problem+json', 'content-length', String(Buffer.byteLength(body)), 'cache-control', 'no-store',
    'proxy-status', proxyStatus(via, { upstream, error, details: code }),
    ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
    ...(allow === undefined ? [] : ['allow', allow]),
    ...(closes ? ['connection', 'close'] : []),
  ])
  res.end(body)
}
