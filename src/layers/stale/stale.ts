import { StatusError, type UpstreamError } from '../../outcome/errors.ts'
import { channels } from '../../events.ts'
import type { StaleCache } from './cache.ts'
import type { StalePolicy } from '../../options/policy.ts'
import type { Layer } from '../../call/layer.ts'
import type { Perform } from '../../upstream/perform.ts'
import { ageOf, acceptedAge, hasCredentials, hasKeylessFields, isCacheable, lifetimeOf } from '../../http/freshness.ts'
import { mergedFields, requestKey, uriKey } from '../../http/request-key.ts'
import { isAnswer, isOutage, staleMayServe } from '../../outcome/stand-in.ts'
import { isSafe } from '../../http/methods.ts'
import type { Reply } from '../../outcome/reply.ts'
import type { Request } from '../../call/request.ts'
import { Trace } from '../../outcome/trace.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/**
 * Stores the last good reply to each GET and serves it, marked as stale, in place of an error (stale-if-error, RFC 5861 §4). It
 * never serves one if the upstream can answer.
 */
export const stale = (cache: StaleCache): Layer<Perform> => next => (upstream, request) => {
  const { stale: policy } = upstream.policy
  const sent = next(upstream, request)
  if (policy === false) return sent
  const { method, target, streamed, headers, body, options } = request
  if (!isSafe(method)) return invalidating(sent, cache, uriKey(upstream.name, target))
  if (streamed || method !== 'GET' || body !== undefined || options.stale === false) return sent
  if (!isCacheable(mergedFields(upstream.policy.headers, headers))) return sent
  return staleIfError(sent, upstream, request, { cache, policy })
}

/** A successful unsafe request invalidates the stored replies of its resource (RFC 9111 §4.4). */
const invalidating = (sent: Promise<Reply>, cache: StaleCache, uri: string): Promise<Reply> => sent.then(reply => {
  if (reply.ok) cache.invalidate(uri)
  return reply
})

interface Storage {
  readonly cache: StaleCache
  readonly policy: StalePolicy
}

/** Stores a good reply, and serves the stored one in place of an error. */
function staleIfError(sent: Promise<Reply>, upstream: Upstream, request: Request, { cache, policy }: Storage): Promise<Reply> {
  const { target } = request
  const { env } = upstream
  const startedAt = env.clock.now()
  const fields = mergedFields(upstream.policy.headers, request.headers)
  // A reply that was not decoded must not be served to a request that expects a decoded one.
  const key = requestKey(upstream.name, target, fields) + (request.options.decode === false ? '\n:coded' : '')

  const store = (reply: Reply): void => {
    const lifetime = lifetimeOf(reply.status, reply.headers, hasCredentials(request.headers))
    // A reply that must not be stored still outdates the stored one.
    if (lifetime === undefined || hasKeylessFields(reply.added) || reply.bytes().length > policy.maxBodySize) {
      cache.remove(key)
      return
    }
    const now = env.clock.now()
    const generatedAt = now - ageOf(reply.headers, now - startedAt)
    cache.put(key, reply, { uri: uriKey(upstream.name, target), lifetime, generatedAt, usage: upstream.staleUsage })
  }
  const serve = (error: UpstreamError): Reply | undefined => {
    const now = env.clock.now()
    const found = cache.find(key, now)
    if (found === undefined || found.age > Math.min(policy.maxAge, acceptedAge(fields, found.lifetime))) return undefined
    const reply = found.reply()
    if (reply.bytes().length > (request.options.maxBodySize ?? upstream.policy.maxBodySize)) return undefined
    reply.stale = { age: found.age, error }
    reply.attempts = error.attempts
    reply.total = now - startedAt
    if (channels.rescued.hasSubscribers) {
      const { client = '' } = env
      channels.rescued.publish({ client, upstream: upstream.name, method: 'GET', by: 'stale', error: error.code, age: found.age })
    }
    return reply
  }
  return sent.then(
    reply => {
      if (isOutage(reply.status)) return serve(statusError(upstream, request, reply, startedAt)) ?? reply
      // A coalesced call is stored once.
      if (!reply.shared && isAnswer(reply.status)) store(reply)
      return reply
    },
    (error: unknown) => {
      const reply = staleMayServe(error) && request.options.signal?.aborted !== true ? serve(error) : undefined
      if (reply !== undefined) return reply
      if (error instanceof StatusError && isAnswer(error.status)) cache.remove(key)
      throw error
    },
  )
}

/** The error that a reply would have been without `throwOnStatus: false`. */
function statusError(upstream: Upstream, { method, target }: Request, reply: Reply, startedAt: number): StatusError {
  const trace = new Trace(upstream.name, method, target, startedAt)
  trace.attempts = reply.attempts
  trace.mark(`status ${reply.status}`, upstream.env.clock.now())
  return new StatusError(trace, reply)
}
