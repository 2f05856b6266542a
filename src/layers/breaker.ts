import type { Env } from '../clock.ts'
import type { Endpoint } from '../endpoint.ts'
import { UpstreamError } from '../errors.ts'
import type { Layer } from '../layer.ts'
import type { BreakerPolicy } from '../options.ts'
import type { Reply } from '../reply.ts'
import { atEnd, rejected, type Ended } from '../sent.ts'
import type { Verdict } from '../verdict.ts'

/**
 * Asks the endpoint's circuit for admission and tells it the outcome, when the whole body has come or failed to. The
 * circuit
 * hears only what the endpoint itself did.
 */
export const breaker = (env: Env, endpoint: Endpoint): Layer => next => {
  const settle: Ended = (call, reply, error) => {
    const { circuit } = endpoint
    const policy = call.policy.breaker
    if (circuit === undefined || policy === false) return
    const now = env.clock.now()
    // What this process's own standing still has added to the latency means nothing.
    const latency = env.clock.stalledAt >= call.attemptAt ? undefined : now - call.attemptAt
    circuit.settle(call.admission, verdictOf(reply, error), latency, now)
    if (reply?.retryAfter !== undefined && holds(reply, policy)) circuit.hold(reply.retryAfter, now)
  }
  return call => {
    const { circuit } = endpoint
    const policy = call.policy.breaker
    if (circuit === undefined || policy === false) return next(call)
    const admission = circuit.admit(call.at)
    if (admission === 0) return rejected(endpoint.refuse(call, call.at))
    call.admission = admission
    call.attemptAt = call.at
    if (admission < 0) call.attemptTimeout = Math.min(call.attemptTimeout, policy.probeTimeout)
    return atEnd(next(call), call, settle)
  }
}

/** A 503's Retry-After speaks for the endpoint; a 429's may be about one tenant's quota. */
const holds = (reply: Reply, policy: BreakerPolicy): boolean =>
  reply.status === 503 || (reply.status === 429 && policy.holdOn429)

/** What is not one of our errors (the caller's abort) proves nothing. */
const verdictOf = (reply: Reply | undefined, error: unknown): Verdict => {
  if (error === undefined) return reply?.verdict ?? 'none'
  return error instanceof UpstreamError ? error.verdict : 'none'
}
