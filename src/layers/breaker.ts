import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { ConnectionError, UpstreamError } from '../outcome/errors.ts'
import type { Layer } from '../call/layer.ts'
import type { BreakerPolicy } from '../options/policy.ts'
import type { Circuit } from '../upstream/circuit/circuit.ts'
import { endpointOf } from '../upstream/of-call.ts'
import type { Reply } from '../outcome/reply.ts'
import { onEnd, latencyOf, rejected, type Ended } from '../call/completion.ts'
import { failed, type Verdict } from '../outcome/verdict.ts'

/**
 * Asks the endpoint's circuit for admission, and reports to it how the attempt ended once the whole body has arrived or
 * failed to. Only what the endpoint itself did is reported.
 */
export const breaker = (env: Env): Layer => next => {
  const settle: Ended = (call, reply, error) => {
    const { circuit } = endpointOf(call)
    const policy = call.policy.breaker
    if (circuit === undefined || policy === false || call.admission === 0) return
    const now = env.clock.now()
    const verdict = verdictOf(reply, error)
    if (circuit.observer !== undefined) {
      // A latency shared with what follows would cost every call 120 bytes, observed or not. Where the upstream's share is
      // unknown, listeners get the time of the whole attempt: metrics packages refuse what is no number.
      const latency = latencyOf(call, reply, now) ?? now - call.attemptAt
      circuit.observer.ended({ verdict, latency, report: call.trace, reply, error })
    }
    // A latency that includes a stall of this process says nothing about the endpoint.
    const latency = env.clock.stalledAt >= call.attemptAt ? undefined : latencyOf(call, reply, now)
    const isNew = error instanceof ConnectionError || !repeats(call, circuit, policy, verdict)
    circuit.settle(call.admission, isNew ? verdict : 'none', latency, now)
    if (verdict === 'healthy') {
      circuit.routes.healthy(call.target)
      if (circuit.holds.hasPaths) circuit.holds.servedPath(call.trace.path, policy.probes, now)
    }
    if (reply?.retryAfter !== undefined && holds(reply, policy)) circuit.holdPath(call.trace.path, reply.retryAfter, now)
  }
  // A probe must end in time: if its streamed body is still arriving then, the reply so far is its outcome.
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
    const held = circuit.holds.hasPaths ? circuit.holds.pathLeft(call.trace.path, call.at) : 0
    if (held > 0) return rejected(endpoint.refusePath(call.trace, held, call.at))
    const admission = circuit.admit(call.at)
    if (admission === 0) return rejected(endpoint.refuse(call.trace, call.at))
    circuit.observer?.admitted()
    call.admission = admission
    call.attemptAt = call.at
    if (admission < 0 && call.settings.streamed) return sendStreamedProbe(call, policy)
    return onEnd(next(call), call, settle)
  }
}

/**
 * Whether a failure is no new evidence, because an attempt of the same call has failed at this endpoint before. The retries of
 * one call are one piece of evidence, or one bad route would open the circuit of all. Where no other route is known to be
 * healthy, they do count: they are what shows an outage to a client with few calls. A probe counts each time, and so does a
 * failed connection, which is not a matter of the route.
 */
function repeats(call: Call, circuit: Circuit, { consecutive }: BreakerPolicy, verdict: Verdict): boolean {
  if (!failed(verdict) || call.admission < 0) return false
  const endpoint = endpointOf(call)
  // Once that many in a row have failed, one route alone does not explain it.
  if (call.blamed?.includes(endpoint) === true) {
    return circuit.gateway < consecutive && circuit.routes.isOtherHealthy(call.target)
  }
  call.blamed ??= []
  call.blamed.push(endpoint)
  return false
}

/** A 503's Retry-After speaks for the endpoint; a 429's may be about one tenant's quota. */
const holds = (reply: Reply, policy: BreakerPolicy): boolean =>
  reply.status === 503 || (reply.status === 429 && policy.holdOn429)

/** An error that is not one of ours is the caller's abort: it proves nothing. */
const verdictOf = (reply: Reply | undefined, error: unknown): Verdict => {
  if (error === undefined) return reply?.verdict ?? 'none'
  return error instanceof UpstreamError ? error.verdict : 'none'
}
