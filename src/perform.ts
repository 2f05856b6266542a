import { Call } from './call.ts'
import type { Env } from './clock.ts'
import { RejectedError, StatusError, UpstreamError } from './errors.ts'
import { channels } from './events.ts'
import { DEFAULTS, refuse, type Policy, type RetryPolicy } from './options.ts'
import { isIdempotent } from './policy/verdict.ts'
import type { Reply } from './reply.ts'
import { rejected } from './sent.ts'
import { withQuery, type CallOptions, type Request } from './request.ts'
import { Trace } from './trace.ts'
import type { Upstream } from './upstream.ts'

/**
 * Performs one request at an upstream: makes the call of it, sends it down the layers, and turns the outcome into what
 * the caller
 * asked for.
 */
export function perform(upstream: Upstream, target: string, request: Request, streamed: boolean, env: Env): Promise<Reply> {
  const call = callOf(upstream, target, request, streamed, env)
  // Nothing is armed, counted or awaited for a call that no endpoint would admit.
  const refused = upstream.endpoints.refusal(call, call.at)
  if (refused !== undefined) {
    upstream.active++
    ended(upstream, call, call.at, refused)
    return rejected(refused)
  }
  const throwing = request.options.throwOnStatus ?? call.policy.throwOnStatus
  return upstream.send(call).then(
    reply => {
      const now = env.clock.now()
      reply.total = now - call.startedAt
      if (reply.status >= 400 && throwing) {
        const error = new StatusError(call.trace, reply)
        reply.discard()
        ended(upstream, call, now, error)
        throw error
      }
      if (streamed) reply.whenEnded(error => { ended(upstream, call, env.clock.now(), error, reply) })
      else ended(upstream, call, now, undefined, reply)
      return reply
    },
    (error: unknown) => {
      ended(upstream, call, env.clock.now(), error)
      throw error
    },
  )
}

function callOf(upstream: Upstream, target: string, request: Request, streamed: boolean, env: Env): Call {
  const { policy } = upstream
  const { method, headers, body, options } = request
  const retry = options.retry === undefined ? policy.retry : retryOf(options.retry, policy.retry)
  const path = options.query === undefined ? target : withQuery(target, options.query)
  const deadline = options.deadline ?? policy.deadline
  return new Call({
    policy, method, headers, body, streamed, retry, deadline,
    trace: new Trace(upstream.name, method, path, env.clock.now()),
    target: path,
    idempotent: isIdempotent(method, headers?.['idempotency-key'] !== undefined, retry === false ? [] : retry.methods),
    signal: options.signal,
    // A stream is not held in memory, so it has no bound unless the call sets one.
    maxBodySize: options.maxBodySize ?? (streamed ? Infinity : policy.maxBodySize),
    attemptTimeout: attemptTimeoutOf(options, deadline, policy),
  })
}

function attemptTimeoutOf({ attemptTimeout }: CallOptions, actual: number, policy: Policy): number {
  if (attemptTimeout === undefined) return Math.min(policy.attemptTimeout, actual)
  if (attemptTimeout > actual) refuse('attemptTimeout', attemptTimeout, `at most the deadline of ${actual} ms`)
  return attemptTimeout
}

function retryOf(own: NonNullable<CallOptions['retry']>, policy: RetryPolicy | false): RetryPolicy | false {
  if (own === false) return false
  const base = policy === false ? DEFAULTS.retry : policy
  const { limit = base.limit, statuses = base.statuses, methods = base.methods } = own
  return { ...base, limit, statuses, methods: methods.map(method => method.toUpperCase()) }
}

function ended(upstream: Upstream, call: Call, now: number, error?: unknown, reply?: Reply): void {
  call.over()
  upstream.ended(error)
  const failure = error instanceof UpstreamError ? error : undefined
  if (failure instanceof RejectedError && channels.refused.hasSubscribers) {
    channels.refused.publish({ upstream: upstream.name, method: call.method, error: failure.code })
  }
  if (!channels.callEnd.hasSubscribers) return
  const status = reply?.status ?? (failure instanceof StatusError ? failure.status : undefined)
  channels.callEnd.publish({
    upstream: upstream.name, method: call.method, attempts: call.trace.attempts, duration: now - call.startedAt,
    ...(status === undefined ? {} : { status }), ...(error === undefined ? {} : { error: failure?.code ?? 'aborted' }),
  })
}
