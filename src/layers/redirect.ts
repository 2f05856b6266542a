import { isOneShot } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Reply } from '../outcome/reply.ts'
import { within, type Request } from '../call/request.ts'
import type { Layer } from '../call/layer.ts'
import type { Perform } from '../upstream/perform.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Upstreams } from '../upstream/upstreams.ts'

/**
 * Follows redirects, all within the deadline of the first request and only to origins that may be called. Each hop passes
 * through the layers as a request of its own.
 */
export const redirect = (upstreams: Upstreams): Layer<Perform> => next => (upstream, request) => {
  const maxHops = request.options.redirects ?? upstream.policy.redirects
  const sent = next(upstream, request)
  return maxHops === 0 ? sent : upstreams.trackRedirects(follow(sent, upstream, request, maxHops))

  async function follow(sent: Promise<Reply>, first: Upstream, request: Request, maxHops: number): Promise<Reply> {
    const { clock } = first.env
    const endsAt = clock.now() + (request.options.deadline ?? first.policy.deadline)
    let reply = await sent
    let hop = request
    for (let left = maxHops; left > 0; left--) {
      const following = redirectOf(reply, hop)
      if (following === undefined) break
      reply.discard()
      const { method, origin, target } = hop = following
      if (upstreams.destroyed) throw upstreams.refuseDraining(first, method, target)
      reply = await next(upstreams.at(origin, method, target), within(hop, Math.max(1, endsAt - clock.now())))
    }
    return reply
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Headers that may be sent to another origin: none in which a caller could have put a credential. */
const CROSS_ORIGIN: ReadonlySet<string> = new Set([
  'accept', 'accept-encoding', 'accept-language', 'content-type', 'traceparent', 'tracestate', 'user-agent',
])
const ABOUT_BODY = /^content-/

/**
 * The request that follows a redirect (RFC 9110 §15.4); undefined if the reply is no redirect, or must not be followed: it
 * leads from https to http, it would send the body to another origin, or the body cannot be sent again.
 */
export function redirectOf(reply: Reply, from: Request): Request | undefined {
  const { location } = reply.headers
  const base = from.origin + from.target
  if (!REDIRECTS.has(reply.status) || typeof location !== 'string' || !URL.canParse(location, base)) return undefined
  const url = new URL(location, base)
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || base.startsWith('https:'))) return undefined
  const { method, body } = from
  const toGet = (reply.status === 303 && method !== 'HEAD') || (reply.status < 303 && method === 'POST')
  const sameOrigin = url.origin === from.origin
  if (!toGet && body !== undefined && (!sameOrigin || isOneShot(body))) return undefined
  const headers = headersFor(from.headers, sameOrigin, toGet)
  const to = { origin: url.origin, target: url.pathname + url.search }
  return { ...from, ...to, method: toGet ? 'GET' : method, headers, body: toGet ? undefined : body }
}

function headersFor(headers: HeaderFields | undefined, sameOrigin: boolean, toGet: boolean): HeaderFields | undefined {
  if (headers === undefined) return undefined
  return Object.fromEntries(Object.entries(headers).filter(([name]) =>
    (sameOrigin || CROSS_ORIGIN.has(name)) && !(toGet && ABOUT_BODY.test(name))))
}
