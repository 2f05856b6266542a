import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { UpstreamError } from '../outcome/errors.ts'
import type { Layer } from '../call/layer.ts'
import type { BreakerPolicy } from '../options/policy.ts'
import { endpointOf } from '../upstream/of-call.ts'
import type { Reply } from '../outcome/reply.ts'
import { onEnd, latencyOf, rejected, type Ended } from '../call/completion.ts'
import type { Verdict } from '../outcome/verdict.ts'

/**
 * Asks the endpoint's circuit for admission and tells it the outcome, when the whole body has come or failed to. The
 * circuit hears only what the endpoint itself did.
 */
export const breaker = (env: Env): Layer => next => {
  const settle: Ended = (call, reply, error) => {
    const { circuit } = endpointOf(call)
    const policy = call.policy.breaker
    if (circuit === undefined || policy === false) return
    const now = env.clock.now()
    // What this process's own standing still has added to the latency means nothing.
    const latency = env.clock.stalledAt >= call.attemptAt ? undefined : latencyOf(call, reply, now)
    circuit.settle(call.admission, verdictOf(reply, error), latency, now)
    if (reply?.retryAfter !== undefined && holds(reply, policy)) circuit.hold(reply.retryAfter, now)
  }
  // A probe must not stay out: a streamed body that outlasts its time is judged by what has come so far.
  const sendStreamedProbe = (call: Call, policy: BreakerPolicy): Promise<Reply> => {
    let begun: Reply | undefined
    const timer = env.clock.after(policy.probeTimeout, () => {
      if (begun === undefined) return
      settle(call, begun)
      call.admission = 0
    })
    const sent = next(call)
    sent.then(reply => { begun = reply }, () => undefined)
    return onEnd(sent, call, (_, reply, error) => {
      timer.cancel()
      settle(call, reply, error)
    })
  }
  return call => {
    const endpoint = endpointOf(call)
    const { circuit } = endpoint
    const policy = call.policy.breaker
    if (circuit === undefined || policy === false) return next(call)
    const admission = circuit.admit(call.at)
    if (admission === 0) return rejected(endpoint.refuse(call.trace, call.at))
    call.admission = admission
    call.attemptAt = call.at
    if (admission < 0 && call.settings.streamed) return sendStreamedProbe(call, policy)
    return onEnd(next(call), call, settle)
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
