import { StatusError, type UpstreamError } from '../../outcome/errors.ts'
import { channels } from '../../events.ts'
import type { LastGood } from './cache.ts'
import type { StalePolicy } from '../../options/options.ts'
import type { Perform } from '../execute.ts'
import { ageOf, ageWanted, hasCredentials, isPlain, lifetimeOf } from '../../http/freshness.ts'
import { fieldsOf, requestKey, uriKey } from '../../http/request-key.ts'
import { isAnswer, isOutage, staleMayServe } from '../../outcome/stand-in.ts'
import { isSafe } from '../../outcome/verdict2.ts'
import type { Reply } from '../../outcome/reply.ts'
import type { Request } from '../../call/request.ts'
import { Trace } from '../../outcome/trace.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/**
 * Keeps the last good reply to each GET and serves it, marked as stale, when the upstream can't answer (stale-if-error, RFC
 * 5861 §4). It never answers for an upstream that can.
 */
export const withStale = (lastGood: LastGood, next: Perform): Perform => (upstream, target, request, streamed) => {
  const { stale } = upstream.policy
  const sent = next(upstream, target, request, streamed)
  if (stale === false) return sent
  if (!isSafe(request.method)) return invalidating(sent, lastGood, uriKey(upstream.name, target))
  if (streamed || request.method !== 'GET' || request.body !== undefined || request.options.stale === false) return sent
  return isPlain(fieldsOf(upstream.policy.headers, request.headers))
    ? guarded(sent, lastGood, stale, { upstream, target, request }) : sent
}

/** What has changed a resource makes all that is known of it out of date (RFC 9111 §4.4). */
const invalidating = (sent: Promise<Reply>, lastGood: LastGood, uri: string): Promise<Reply> => sent.then(reply => {
  if (reply.ok) lastGood.invalidate(uri)
  return reply
})

interface Asked {
  readonly upstream: Upstream
  readonly target: string
  readonly request: Request
}

function guarded(sent: Promise<Reply>, lastGood: LastGood, policy: StalePolicy, asked: Asked): Promise<Reply> {
  const { upstream, target, request } = asked
  const { env } = upstream
  const startedAt = env.clock.now()
  const fields = fieldsOf(upstream.policy.headers, request.headers)
  // A body as it is on the wire is none that others can read.
  const key = requestKey(upstream.name, target, fields) + (request.options.decode === false ? '\n:coded' : '')

  const keep = (reply: Reply): void => {
    const lifetime = lifetimeOf(reply.status, reply.headers, hasCredentials(request.headers))
    // What may not be kept still takes the place of what was: the upstream no longer says so.
    if (lifetime === undefined || reply.bytes().length > policy.maxBodySize) {
      lastGood.forget(key)
      return
    }
    const now = env.clock.now()
    const bornAt = now - ageOf(reply.headers, now - startedAt)
    lastGood.put(key, uriKey(upstream.name, target), reply, lifetime, bornAt, upstream.kept)
  }
  const serve = (error: UpstreamError): Reply | undefined => {
    const now = env.clock.now()
    const found = lastGood.find(key, now)
    if (found === undefined || found.age > Math.min(policy.maxAge, ageWanted(fields, found.lifetime))) return undefined
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
      if (isOutage(reply.status)) return serve(statusError(asked, reply, startedAt)) ?? reply
      // One flight, one entry.
      if (!reply.shared && isAnswer(reply.status)) keep(reply)
      return reply
    },
    (error: unknown) => {
      const reply = staleMayServe(error) && request.options.signal?.aborted !== true ? serve(error) : undefined
      if (reply !== undefined) return reply
      if (error instanceof StatusError && isAnswer(error.status)) lastGood.forget(key)
      throw error
    },
  )
}

/** The error that a caller with `throwOnStatus: false` has not asked for. */
function statusError({ upstream, target, request }: Asked, reply: Reply, startedAt: number): StatusError {
  const trace = new Trace(upstream.name, request.method, target, startedAt)
  trace.attempts = reply.attempts
  trace.mark(`status ${reply.status}`, upstream.env.clock.now())
  return new StatusError(trace, reply)
}
