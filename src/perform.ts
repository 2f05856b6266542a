import { Call } from './call.ts'
import type { Env } from './clock.ts'
import { codeOf, RejectedError, StatusError, UpstreamError } from './errors.ts'
import { channels, tellRefused } from './events.ts'
import { DEFAULTS, refuse, type Policy, type RetryPolicy } from './options.ts'
import { isIdempotent } from './policy/verdict.ts'
import type { Reply } from './reply.ts'
import { Failed, rejected, settled, type Settle } from './sent.ts'
import type { CallOptions, Request } from './request.ts'
import { Trace } from './trace.ts'
import type { Upstream } from './upstream.ts'

/** Performs one request at an upstream; the target has the whole query. */
export type Perform = (upstream: Upstream, target: string, request: Request, streamed: boolean, env: Env) => Promise<Reply>

/** Makes the call of a request, sends it down the layers, and turns the outcome into what the caller asked for. */
export const perform: Perform = (upstream, target, request, streamed, env) => {
  const trace = new Trace(upstream.name, request.method, target, env.clock.now())
  // Nothing is made, armed or awaited for a call that no endpoint would admit, now or in a moment.
  if (upstream.endpoints.isShut(trace.startedAt)) return rejected(refusal(upstream, trace, env))

  const call = callOf(upstream, target, request, streamed, trace)
  announce(trace, env)
  return settled(upstream.send(call), call, finish)
}

/** How calls end: they are counted, told of, and a status of 400 or more is an error if that is wanted. */
const finish: Settle = (call, reply, error) => {
  const upstream = call.upstream as Upstream
  const { env } = upstream
  const now = env.clock.now()
  if (reply === undefined) {
    over(upstream, call, env, now, error)
    return undefined
  }
  reply.total = now - call.startedAt
  if (reply.status >= 400 && call.throwing) {
    const failure = StatusError.of(call.trace, reply)
    reply.discard()
    over(upstream, call, env, now, failure)
    return new Failed(failure)
  }
  if (call.streamed) reply.whenEnded(late => { over(upstream, call, env, env.clock.now(), late, reply) })
  else over(upstream, call, env, now, undefined, reply)
  return undefined
}

/** Tells that a call begins, once nothing can keep it from ending. */
export function announce(trace: Trace, env: Env): void {
  if (!channels.callStart.hasSubscribers) return
  const { number, upstream, method, path } = trace
  channels.callStart.publish({ client: env.client ?? '', call: number, upstream, method, path })
}

/** The refusal of a call that no endpoint would admit. */
export function refusal(upstream: Upstream, trace: Trace, env: Env): UpstreamError {
  announce(trace, env)
  const error = upstream.endpoints.refuse(trace, trace.startedAt)
  upstream.remember(error, trace.startedAt)
  publish(trace, env, trace.startedAt, 0, error)
  return error
}

function callOf(upstream: Upstream, target: string, request: Request, streamed: boolean, trace: Trace): Call {
  const { policy } = upstream
  const { method, headers, body, options } = request
  const retry = options.retry === undefined ? policy.retry : retryOf(options.retry, policy.retry)
  const deadline = options.deadline ?? policy.deadline
  return new Call({
    upstream, policy, trace, method, target, headers, body, streamed, retry, deadline,
    idempotent: isIdempotent(method, headers?.['idempotency-key'] !== undefined, retry === false ? [] : retry.methods),
    signal: options.signal,
    decode: options.decode !== false,
    throwing: options.throwOnStatus ?? policy.throwOnStatus,
    priority: options.priority ?? policy.priority,
    hedge: options.hedge === false ? false : policy.hedge,
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

/** Counts a call that has wholly ended, and tells of it. */
export function over(upstream: Upstream, call: Call, env: Env, now: number, error?: unknown, reply?: Reply): void {
  call.over()
  upstream.ended()
  if (error instanceof UpstreamError) upstream.remember(error, now)
  publish(call.trace, env, now, call.queued, error, reply)
}

function publish(trace: Trace, env: Env, now: number, queued: number, error?: unknown, reply?: Reply): void {
  const { upstream, method, attempts, startedAt } = trace
  if (error instanceof RejectedError) tellRefused(env, upstream, method, error)
  if (!channels.callEnd.hasSubscribers) return
  const { client = '' } = env
  const status = reply?.status ?? (error instanceof StatusError ? error.status : undefined)
  channels.callEnd.publish({
    client, call: trace.number, upstream, method, attempts, duration: now - startedAt, queued,
    ...(status === undefined ? {} : { status }), ...(error === undefined ? {} : { error: codeOf(error) }),
  })
}
