import { AsyncLocalStorage } from 'node:async_hooks'
import { Call } from '../call/call.ts'
import type { Send } from '../call/layer.ts'
import type { Env } from '../clock.ts'
import { codeOf, RejectedError, StatusError, UpstreamError } from '../outcome/errors.ts'
import { channels, publishRefused } from '../events.ts'
import type { Reply } from '../outcome/reply.ts'
import { release } from '../http/body.ts'
import { Failed, rejected, onSettle, type Settle } from '../call/completion.ts'
import { Trace } from '../outcome/trace.ts'
import type { Perform } from '../upstream/perform.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** Creates the call of a request, sends it through the layers, and turns the outcome into what the caller asked for. */
export const execute = (send: Send): Perform => (upstream, request) => {
  const { env } = upstream
  const { method, target, headers, body, options: { signal } } = request
  const trace = new Trace(upstream.name, method, target, env.clock.now())
  // Nothing is created, armed or awaited for a call that no endpoint admits, now or soon.
  if (upstream.endpoints.isShut(trace.startedAt)) {
    release(body)
    return rejected(refusal(upstream, trace))
  }

  const call = new Call({ upstream, settings: upstream.settings.of(request), trace, target, headers, body, signal })
  startCall(upstream, trace)
  return onSettle(send(call), call, finish)
}

/** Ends a call: counts and publishes it, and turns a status of 400 or more into an error unless `throwOnStatus` is false. */
const finish: Settle = (call, reply, error) => {
  const { clock } = (call.upstream as Upstream).env
  const now = clock.now()
  if (reply === undefined) {
    release(call.body)
    endCall(call, now, error)
    return undefined
  }
  reply.total = now - call.startedAt
  if (reply.status >= 400 && call.settings.throwOnStatus) {
    const failure = StatusError.of(call.trace, reply)
    reply.discard()
    endCall(call, now, failure)
    return new Failed(failure)
  }
  if (reply.flaw !== undefined) {
    reply.flaw.stopped = reply.stopped
    endCall(call, now, reply.flaw)
    return new Failed(reply.flaw)
  }
  if (call.settings.streamed) reply.whenEnded(bodyError => { endCall(call, clock.now(), bodyError, reply) })
  else endCall(call, now, undefined, reply)
  return undefined
}

/** Whether an event that is published later than the start of a call has a listener. */
const hasListeners = (): boolean => {
  const { attemptStart, attemptEnd, callEnd, refused, retry, retryStopped, hedge } = channels
  return attemptStart.hasSubscribers || callEnd.hasSubscribers || attemptEnd.hasSubscribers || refused.hasSubscribers
    || retry.hasSubscribers || retryStopped.hasSubscribers || hedge.hasSubscribers
}

/** Counts and publishes the start of a call, once it is certain that its end will be published. */
export function startCall(upstream: Upstream, trace: Trace): void {
  upstream.began(trace.startedAt)
  if (hasListeners()) trace.context = AsyncLocalStorage.snapshot()
  publishCallStart(trace, upstream.env)
}

function publishCallStart(trace: Trace, env: Env): void {
  if (!channels.callStart.hasSubscribers) return
  const { number, upstream, method, path } = trace
  channels.callStart.publish({ client: env.client ?? '', call: number, upstream, method, path })
}

/** The refusal of a call that no endpoint admits, published like any other call. */
export function refusal(upstream: Upstream, trace: Trace): UpstreamError {
  const { env } = upstream
  publishCallStart(trace, env)
  const now = trace.startedAt
  const error = upstream.endpoints.refuse(trace, now)
  upstream.remember(error, now)
  publishRefused(env, trace.upstream, trace.method, error)
  if (channels.callEnd.hasSubscribers) publishCallEnd(trace, env, { now, queued: 0, error })
  return error
}

/** Counts and publishes the end of a call, the body of its reply included. */
export function endCall(call: Call, now: number, error?: unknown, reply?: Reply): void {
  const upstream = call.upstream as Upstream
  const { trace, queued } = call
  call.over()
  upstream.ended()
  if (error instanceof UpstreamError) upstream.remember(error, now)
  if (error instanceof RejectedError) {
    trace.inContext(() => { publishRefused(upstream.env, trace.upstream, trace.method, error) })
  }
  if (channels.callEnd.hasSubscribers) {
    trace.inContext(() => { publishCallEnd(trace, upstream.env, { now, queued, error, reply }) })
  }
}

interface CallResult {
  readonly now: number
  readonly queued: number
  readonly error?: unknown
  readonly reply?: Reply | undefined
}

function publishCallEnd(trace: Trace, { client = '' }: Env, { now, queued, error, reply }: CallResult): void {
  const { upstream, method, attempts, startedAt } = trace
  const status = reply?.status ?? (error instanceof StatusError ? error.status : undefined)
  channels.callEnd.publish({
    client, call: trace.number, upstream, method, attempts, duration: now - startedAt, queued,
    ...(status === undefined ? {} : { status }), ...(error === undefined ? {} : { error: codeOf(error) }),
  })
}
