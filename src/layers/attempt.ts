import { SUPERSEDED, type Call } from '../call/call.ts'
import { wallClock, type Env } from '../clock.ts'
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
import { onEnd, onReply, latencyOf, rejected, type Ended, type Replied } from '../call/completion.ts'

/**
 * One try on the wire: counts it, gives it its own time limit, and says what the outcome proves. The limit covers a
 * buffered body; a streamed one is the deadline's matter once its headers are there.
 */
export const attempt = (env: Env): Layer => next => {
  const { clock } = env
  const replied: Replied = (call, reply) => {
    call.attemptTimer?.cancel()
    judge(reply, call, clock.now() - call.attemptAt)
  }
  const ended: Ended = (call, reply, error) => {
    const endpoint = endpointOf(call)
    call.attemptTimer?.cancel()
    endpoint.inFlight--
    const now = clock.now()
    const duration = now - call.attemptAt
    if (error === undefined) learn(call, reply, now, clock.stalledAt >= call.attemptAt)
    else if (error === SUPERSEDED) endpoint.latency.record(duration)
    else call.trace.mark(`attempt ${call.attempt} to ${endpoint.origin} failed: ${nameOf(error)}`, now)
    if (channels.attemptEnd.hasSubscribers) publish(call, endpoint, env, { duration, reply, error })
  }
  return call => {
    if (call.cancelled) return rejected(call.reason)
    const endpoint = endpointOf(call)
    call.attempt = ++call.trace.attempts
    call.attemptAt = call.at
    call.usualLatency = endpoint.latency.usual
    endpoint.inFlight++
    call.added = channels.attemptStart.hasSubscribers ? announce(call, endpoint, env) : undefined
    const timeout = timeoutOf(call)
    // The deadline's own timer does for an attempt that may take all that is left.
    call.attemptTimer = call.at + timeout < call.deadlineAt
      ? clock.after(timeout, () => { call.interrupt(tookTooLong(call, timeout, env)) })
      : undefined
    return onEnd(onReply(next(call), call, replied), call, ended)
  }
}

/** A probe may have less time than other attempts. */
const timeoutOf = ({ admission, settings: { attemptTimeout, policy: { breaker } } }: Call): number =>
  admission < 0 && breaker !== false ? Math.min(attemptTimeout, breaker.probeTimeout) : attemptTimeout

/** Takes in how long a healthy reply took, unless this process stood still meanwhile; how long a stream is says nothing. */
function learn(call: Call, reply: Reply | undefined, now: number, stalled: boolean): void {
  if (reply?.verdict === 'healthy' && !stalled) endpointOf(call).latency.record(latencyOf(call, reply, now))
}

/** Notes on a reply what it proves and how it came about. */
function judge(reply: Reply, call: Call, headersAfter: number): void {
  const { status, headers } = reply
  reply.attempts = call.trace.attempts
  reply.queued = call.queued
  reply.headersAfter = headersAfter
  if (status < 400) return
  reply.retryAfter = retryAfter(headers['retry-after'], wallClock)
  reply.verdict = verdictOfStatus(status, reply.retryAfter !== undefined)
  const event = `attempt ${call.attempt}: status ${status} after ${Math.round(headersAfter)} ms`
  call.trace.mark(event, call.attemptAt + headersAfter)
}

function tookTooLong(call: Call, timeout: number, { clock }: Env): AttemptTimeoutError {
  const stalled = clock.stalledAt >= call.attemptAt || call.phase === 'caller'
  const verdict = verdictOfTimeout(clock.now() - call.attemptAt, call.usualLatency, stalled)
  const sent = call.phase === 'connect' && call.trace.attempts === 1 ? 'never' : 'maybe'
  return new AttemptTimeoutError(call.trace, timeout, call.phase, sent, verdict)
}

/** What a person would look for: Node's own code says more than ours. */
const nameOf = (error: unknown): string => (error instanceof ConnectionError ? error.reason : codeOf(error))

/** Tells of an attempt about to begin, and takes the header fields that listeners add to it. */
function announce(call: Call, { origin: endpoint }: Endpoint, { client = '' }: Env): HeaderFields | undefined {
  const { number, upstream, method, path, attempts } = call.trace
  let added: HeaderFields | undefined
  const setHeader = (name: string, value: string): void => {
    checkAddedHeader(name, value)
    added = { ...added, [name.toLowerCase()]: value }
  }
  channels.attemptStart.publish({ client, call: number, upstream, endpoint, method, path, attempt: attempts, setHeader })
  return added
}

interface AttemptResult {
  readonly duration: number
  readonly reply: Reply | undefined
  readonly error: unknown
}

function publish(call: Call, endpoint: Endpoint, { client = '' }: Env, { duration, reply, error }: AttemptResult): void {
  const { attempt, method, trace: { number, upstream } } = call
  const { http2, factory } = call.policy.pool
  // HTTP/2 is agreed upon in TLS, and then nobody says which of the two it was.
  const isKnown = reply !== undefined && factory === undefined && (!http2 || endpoint.origin.startsWith('http:'))
  const told = error === undefined ? reply?.verdict : error instanceof UpstreamError ? error.verdict : undefined
  channels.attemptEnd.publish({
    client, call: number, upstream, endpoint: endpoint.origin, method, attempt, duration,
    verdict: told ?? 'none',
    ...(reply === undefined ? {} : { status: reply.status }), ...(isKnown ? { protocol: '1.1' } : {}),
    ...(error === undefined ? {} : { error: error === SUPERSEDED ? 'superseded' : codeOf(error) }),
  })
}
