import type { IncomingMessage } from 'node:http'
import { causeBy, type Cause } from './cause.ts'

/** Why a gateway does not forward a request; undefined if it does. */
export function refusalOf({ method }: IncomingMessage): Cause | undefined {
  // Its response would show the client the fields that the gateway adds, which may be credentials (RFC 9110 §9.3.8).
  if (method === 'TRACE') return { ...causeBy('http_request_error'), status: 405, allow: METHODS }
  return undefined
}

/** What a gateway forwards, apart from extensions. */
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** How many times a request may still be forwarded, if it says so in a way that counts (RFC 9110 §7.6.2). */
export function forwardsLeft({ method, headers }: IncomingMessage): number | undefined {
  const given = String(headers['max-forwards'])
  return method === 'OPTIONS' && /^\d+$/.test(given) ? Math.min(Number(given), Number.MAX_SAFE_INTEGER) : undefined
}
