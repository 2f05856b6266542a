import type { Attributes } from '@opentelemetry/api'
import type { Labels } from '../telemetry/labels.ts'

/*
 * Names and values by the stable semantic conventions for HTTP: https://opentelemetry.io/docs/specs/semconv/http/
 */

/** Endpoints whose attributes are kept at hand; beyond, they are worked out anew. */
const MAX_CACHED = 1_000
const cachedAttributes = new Map<string, Attributes>()

/** `server.address`, `server.port` and `url.scheme` of an endpoint. */
export function serverAttributes(endpoint: string): Attributes {
  let found = cachedAttributes.get(endpoint)
  if (found === undefined) {
    const { hostname, port, protocol } = new URL(endpoint)
    const scheme = protocol.slice(0, -1)
    found = {
      'server.address': hostname.replace(/^\[(.*)\]$/, '$1'),
      'server.port': port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
      'url.scheme': scheme,
    }
    if (cachedAttributes.size >= MAX_CACHED) cachedAttributes.clear()
    cachedAttributes.set(endpoint, found)
  }
  return found
}

/** What went wrong, if anything: the status where there is one that says so, else the code of the error. */
export const errorType = (status: number | undefined, error: string | undefined): string | undefined =>
  status !== undefined && status >= 400 ? String(status) : error

/** How an exchange ended: `http.response.status_code` and `error.type`. */
export function outcomeAttributes(status: number | undefined, error: string | undefined): Attributes {
  const type = errorType(status, error)
  return {
    ...(status === undefined ? {} : { 'http.response.status_code': status }),
    ...(type === undefined ? {} : { 'error.type': type }),
  }
}

/** Labels as attributes; an empty one is left out. */
export const labelAttributes = (client: string, labels: Labels): Attributes =>
  ({ client, ...Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')) })
