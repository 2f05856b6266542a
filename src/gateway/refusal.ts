import type { IncomingMessage } from 'node:http'
import { causeBy, type Cause } from './cause.ts'
import { hostOf } from './http2.ts'
import { eachField } from './hop-by-hop.ts'

/** Why a gateway does not forward a request; undefined if it does. */
export function refusalOf(req: IncomingMessage): Cause | undefined {
  if (!hasOneHost(req)) return { ...causeBy('http_request_error'), closes: true }
  // Its response would show the client the fields that the gateway adds, which may be credentials (RFC 9110 §9.3.8).
  // Any other coding would be taken off together with the chunks, but not undone (RFC 9112 §6.1).
  if (!isChunkedAtMost(req.headers['transfer-encoding'])) return { ...causeBy('http_request_error'), status: 501, closes: true }
  if (req.method === 'TRACE') return { ...causeBy('http_request_error'), status: 405, allow: METHODS }
  return undefined
}

/** A host and a port as RFC 3986 §3.2 has them. */
const HOST = /^(?:(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*|\[[\da-f:.]+\])(?::\d*)?$/i

/**
 * Whether a request names one valid host at most: with two, servers on the way would choose different ones (RFC 9112 §3.2). Node
 * checks that it names one at all.
 */
function hasOneHost(req: IncomingMessage): boolean {
  const { rawHeaders } = req
  const host = hostOf(req)
  let hosts = 0
  let isValid = host === undefined || HOST.test(host)
  eachField(rawHeaders, (name, value) => {
    if (name !== 'host') return
    hosts++
    isValid &&= HOST.test(value) && value === host
  })
  return hosts <= 1 && isValid
}

/** Whether a message has no transfer coding but chunks, the only coding that Node and undici decode. */
export const isChunkedAtMost = (coding: string | string[] | undefined): boolean =>
  coding === undefined || String(coding).trim().toLowerCase() === 'chunked'

/** What a gateway forwards, apart from extensions. */
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** How many times a request may still be forwarded, if it says so in a way that counts (RFC 9110 §7.6.2). */
export function forwardsLeft({ method, headers }: IncomingMessage): number | undefined {
  const given = String(headers['max-forwards'])
  return method === 'OPTIONS' && /^\d+$/.test(given) ? Math.min(Number(given), Number.MAX_SAFE_INTEGER) : undefined
}
