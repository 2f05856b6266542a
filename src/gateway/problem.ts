import type { ServerResponse } from 'node:http'
import { TITLES, type Cause } from './cause.ts'
import { proxyStatus } from './proxy-status.ts'

/** Where each type of error is explained. */
const REGISTRY = 'https://www.iana.org/assignments/http-proxy-status#'

/**
 * Answers with what went wrong: a problem (RFC 9457) for programs, a Proxy-Status for the proxies on the way. Both name the
 * upstream, and hold nothing of its address, nor of the error's message.
 */
export function sendProblem(res: ServerResponse, cause: Cause, upstream: string | undefined, via: string): void {
  const { status, error, code, retryAfter, last } = cause
  const title = TITLES[error]
  const body = JSON.stringify({ type: REGISTRY + error, title, status, upstream, code, retryAfter })
  res.writeHead(status, [
    'content-type', 'application/problem+json', 'content-length', String(Buffer.byteLength(body)), 'cache-control', 'no-store',
    'proxy-status', proxyStatus(via, { upstream, error, details: code }),
    ...(retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]),
    ...(last ? ['connection', 'close'] : []),
  ])
  res.end(body)
}
