import { Call } from '../call/call.ts'
import type { Send } from '../call/layer.ts'
import type { Env } from '../clock.ts'
import { codeOf, RejectedError, StatusError, UpstreamError } from '../outcome/errors.ts'
import { channels, tellRefused } from '../events.ts'
import type { Reply } from '../outcome/reply.ts'
import { Failed, rejected, onSettle, type Settle } from '../call/completion.ts'
import { Trace } from '../outcome/trace.ts'
import type { Perform } from '../upstream/perform.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** Makes the call of a request, sends it down the layers, and turns the outcome into what the caller asked for. */
export const execute = (send: Send): Perform => (upstream, request) => {
  const { env } = upstream
  const { method, target, headers, body, options: { signal } } = request
  const trace = new Trace(upstream.name, method, target, env.clock.now())
  // Nothing is made, armed or awaited for a call that no endpoint would admit, now or in a moment.
  if (upstream.endpoints.isShut(trace.startedAt)) return rejected(refusal(upstream, trace))

  const call = new Call({ upstream, settings: upstream.settings.of(request), trace, target, headers, body, signal })
  startCall(upstream, trace)
  return onSettle(send(call), call, finish)
}

/** How calls end: they are counted, told of, and a status of 400 or more is an error if that is wanted. */
const finish: Settle = (call, reply, error) => {
  const upstream = call.upstream as Upstream
  const { env } = upstream
  const now = env.clock.now()
  if (reply === undefined) {
    endCall(upstream, call, now, error)
    return undefined
  }
  reply.total = now - call.startedAt
  if (reply.status >= 400 && call.settings.throwOnStatus) {
    const failure = StatusError.of(call.trace, reply)
    reply.discard()
    endCall(upstream, call, now, failure)
    return new Failed(failure)
  }
  if (call.settings.streamed) reply.whenEnded(late => { endCall(upstream, call, env.clock.now(), late, reply) })
  else endCall(upstream, call, now, undefined, reply)
  return undefined
}

/** Counts a call and reports that it begins, once nothing can keep it from ending. */
export function startCall(upstream: Upstream, trace: Trace): void {
  upstream.began(trace.startedAt)
  reportStart(trace, upstream.env)
}

function reportStart(trace: Trace, env: Env): void {
  if (!channels.callStart.hasSubscribers) return
  const { number, upstream, method, path } = trace
  channels.callStart.publish({ client: env.client ?? '', call: number, upstream, method, path })
}

/** The refusal of a call that no endpoint would admit. */
export function refusal(upstream: Upstream, trace: Trace): UpstreamError {
  const { env } = upstream
  reportStart(trace, env)
  const error = upstream.endpoints.refuse(trace, trace.startedAt)
  upstream.remember(error, trace.startedAt)
  publish(trace, env, trace.startedAt, 0, error)
  return error
}

/** Counts a call that has wholly ended, and tells of it. */
export function endCall(upstream: Upstream, call: Call, now: number, error?: unknown, reply?: Reply): void {
  call.over()
  upstream.ended()
  if (error instanceof UpstreamError) upstream.remember(error, now)
  publish(call.trace, upstream.env, now, call.queued, error, reply)
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
