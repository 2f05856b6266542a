import type { Attributes } from '@opentelemetry/api'
import type { Labels } from '../telemetry/labels.ts'

/*
 * Names and values follow the stable semantic conventions for HTTP: https://opentelemetry.io/docs/specs/semconv/http/
 */

/** The maximum number of endpoints whose attributes are cached. */
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

/**
 * The value of `error.type`, if the exchange failed: the status if it is 400 or more, otherwise the code of the error. A call
 * that its caller has cancelled has not failed.
 */
export const errorType = (status: number | undefined, error: string | undefined): string | undefined => {
  if (error === 'aborted') return undefined
  return status !== undefined && status >= 400 ? String(status) : error
}

/** The attributes of an outcome: `http.response.status_code` and `error.type`. */
export function outcomeAttributes(status: number | undefined, error: string | undefined): Attributes {
  const type = errorType(status, error)
  return {
    ...(status === undefined ? {} : { 'http.response.status_code': status }),
    ...(type === undefined ? {} : { 'error.type': type }),
  }
}

/** Labels as attributes, without empty ones. */
export const labelAttributes = (client: string, labels: Labels): Attributes =>
  ({ client, ...Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')) })
