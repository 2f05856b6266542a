import { isOneShot } from '../call/call.ts'
import type { HeaderFields } from '../options/options.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Request } from '../call/request.ts'

/** A request and where it goes. */
export interface Hop {
  readonly url: URL
  readonly request: Request
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Headers that may cross an origin: nothing a caller could have put a credential into. */
const HARMLESS: ReadonlySet<string> = new Set([
  'accept', 'accept-encoding', 'accept-language', 'content-type', 'traceparent', 'tracestate', 'user-agent',
])
const ABOUT_BODY = /^content-/

/**
 * Where a redirect leads (RFC 9110 §15.4), as a new request; undefined if the reply is none, or is one that can't be
 * followed: its body can't be sent again, it would take a body to another origin, or from https to http.
 */
export function redirectOf(reply: Reply, from: Hop): Hop | undefined {
  const { location } = reply.headers
  if (!REDIRECTS.has(reply.status) || typeof location !== 'string' || !URL.canParse(location, from.url.href)) return undefined
  const url = new URL(location, from.url)
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || from.url.protocol === 'https:')) return undefined
  const { method, body } = from.request
  const toGet = (reply.status === 303 && method !== 'HEAD') || (reply.status < 303 && method === 'POST')
  const sameOrigin = url.origin === from.url.origin
  if (!toGet && body !== undefined && (!sameOrigin || isOneShot(body))) return undefined
  const headers = carriedOver(from.request.headers, sameOrigin, toGet)
  // The query was that of the first URL; the new one has its own.
  const { query: _, ...options } = from.request.options
  return { url, request: { method: toGet ? 'GET' : method, headers, body: toGet ? undefined : body, options } }
}

function carriedOver(headers: HeaderFields | undefined, sameOrigin: boolean, toGet: boolean): HeaderFields | undefined {
  if (headers === undefined) return undefined
  return Object.fromEntries(Object.entries(headers).filter(([name]) =>
    (sameOrigin || HARMLESS.has(name)) && !(toGet && ABOUT_BODY.test(name))))
}
