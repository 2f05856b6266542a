import { SUPERSEDED, type Call } from '../call/call.ts'
import { wallClock, type Env, type Timer } from '../clock.ts'
import type { Endpoint } from '../upstream/endpoints/endpoint.ts'
import { AttemptTimeoutError, codeOf, ConnectionError, UpstreamError } from '../outcome/errors.ts'
import { channels } from '../events.ts'
import type { Layer } from '../call/layer.ts'
import { checkAddedHeader } from '../options/header-checks.ts'
import type { HeaderFields } from '../http/headers.ts'
import { endpointOf } from '../upstream/of-call.ts'
import { retryAfter } from '../http/retry-after.ts'
import { verdictOfStatus, verdictOfTimeout } from '../outcome/verdict.ts'
import type { Reply } from '../outcome/reply.ts'
import {
  isUploading, latencyOf, onEnd, onReply, phaseOf, rejected, uploadTime, type Ended, type Replied,
} from '../call/completion.ts'

/**
 * One attempt on the wire: counts it, gives it its own time limit, and decides what the outcome proves. The limit includes a
 * buffered body; a streamed body is limited by the deadline alone.
 */
export const attempt = (env: Env): Layer => next => {
  const { clock } = env
  const replied: Replied = (call, reply) => {
    call.attemptTimer?.cancel()
    const now = clock.now()
    call.headersLatency = isUploading(call) ? undefined : now - call.turnAt
    annotate(reply, call, now - call.attemptAt)
  }
  const ended: Ended = (call, reply, error) => {
    const endpoint = endpointOf(call)
    call.attemptTimer?.cancel()
    endpoint.inFlight--
    const now = clock.now()
    const duration = now - call.attemptAt
    if (error === undefined) recordLatency(call, reply, now, clock.stalledAt >= call.attemptAt)
    else if (error === SUPERSEDED) endpoint.latency.record(duration)
    else call.trace.mark(`attempt ${call.attempt} to ${endpoint.origin} failed: ${reasonOf(error)}`, now)
    if (channels.attemptEnd.hasSubscribers) {
      call.trace.inContext(() => { publishAttemptEnd(call, endpoint, env, { duration, reply, error }) })
    }
  }
  return call => {
    if (call.cancelled) return rejected(call.reason)
    const endpoint = endpointOf(call)
    call.attempt = ++call.trace.attempts
    call.attemptAt = call.turnAt = call.at
    call.usualLatency = endpoint.latency.average
    endpoint.inFlight++
    call.added = channels.attemptStart.hasSubscribers ? publishAttemptStart(call, endpoint, env) : undefined
    const timeout = timeoutOf(call)
    // An attempt that may take all the time that is left needs no timer besides the deadline's.
    call.attemptTimer = call.at + timeout < call.deadlineAt ? arm(call, timeout, timeout, env) : undefined
    return onEnd(onReply(next(call), call, replied), call, ended)
  }
}

/** A probe may have less time than other attempts. */
const timeoutOf = ({ admission, settings: { attemptTimeout, policy: { breaker } } }: Call): number =>
  admission < 0 && breaker !== false ? Math.min(attemptTimeout, breaker.probeTimeout) : attemptTimeout

/** Records the latency of a healthy reply, unless the event loop of this process was blocked meanwhile. */
function recordLatency(call: Call, reply: Reply | undefined, now: number, stalled: boolean): void {
  const latency = reply?.verdict === 'healthy' && !stalled ? latencyOf(call, reply, now) : undefined
  if (latency !== undefined) endpointOf(call).latency.record(latency)
}

/** Sets on a reply what it proves and how it was obtained. */
function annotate(reply: Reply, call: Call, headersAfter: number): void {
  const { status, headers } = reply
  reply.attempts = call.trace.attempts
  reply.added = call.added
  reply.queued = call.queued
  reply.headersAfter = headersAfter
  if (status < 400) return
  reply.retryAfter = retryAfter(headers['retry-after'], wallClock)
  reply.verdict = verdictOfStatus(status, reply.retryAfter !== undefined)
  const event = `attempt ${call.attempt}: status ${status} after ${Math.round(headersAfter)} ms`
  call.trace.mark(event, call.attemptAt + headersAfter)
}

/** Ends an attempt after `ms`; like the deadline, it gives the caller of a relayed call time to upload its body. */
function arm(call: Call, ms: number, timeout: number, env: Env): Timer {
  return env.clock.after(ms, () => {
    const more = uploadTime(call, timeout, env.clock.now())
    if (more > 0) call.attemptTimer = arm(call, more, timeout, env)
    else call.interrupt(timedOut(call, timeout, env))
  })
}

function timedOut(call: Call, timeout: number, { clock }: Env): AttemptTimeoutError {
  const phase = phaseOf(call)
  const isOurs = clock.stalledAt >= call.attemptAt || phase === 'caller'
  const verdict = verdictOfTimeout(clock.now() - call.turnAt, timeout, call.usualLatency, isOurs)
  return new AttemptTimeoutError(call.trace, timeout, phase, { sent: call.sent, verdict })
}

/** The reason of a failure for the timeline: Node's code, if there is one, says more than ours. */
const reasonOf = (error: unknown): string => (error instanceof ConnectionError ? error.reason : codeOf(error))

/** Publishes the start of an attempt. @returns the header fields that subscribers add to it. */
function publishAttemptStart(call: Call, { origin: endpoint }: Endpoint, { client = '' }: Env): HeaderFields | undefined {
  const { number, upstream, method, path, attempts } = call.trace
  let added: HeaderFields | undefined
  const setHeader = (name: string, value: string): void => {
    checkAddedHeader(name, value)
    added = { ...added, [name.toLowerCase()]: value }
  }
  call.trace.inContext(() => {
    channels.attemptStart.publish({ client, call: number, upstream, endpoint, method, path, attempt: attempts, setHeader })
  })
  return added
}

interface AttemptResult {
  readonly duration: number
  readonly reply: Reply | undefined
  readonly error: unknown
}

function publishAttemptEnd(call: Call, endpoint: Endpoint, { client = '' }: Env, result: AttemptResult): void {
  const { duration, reply, error } = result
  const { attempt, method, trace: { number, upstream } } = call
  const { http2, factory } = call.policy.pool
  // HTTP/2 is negotiated in TLS, and undici does not report which version was chosen.
  const isKnown = reply !== undefined && factory === undefined && (!http2 || endpoint.origin.startsWith('http:'))
  const verdict = error === undefined ? reply?.verdict : error instanceof UpstreamError ? error.verdict : undefined
  channels.attemptEnd.publish({
    client, call: number, upstream, endpoint: endpoint.origin, method, attempt, duration,
    verdict: verdict ?? 'none',
    ...(reply === undefined ? {} : { status: reply.status }), ...(isKnown ? { protocol: '1.1' } : {}),
    ...(error === undefined ? {} : { error: error === SUPERSEDED ? 'superseded' : codeOf(error) }),
  })
}
