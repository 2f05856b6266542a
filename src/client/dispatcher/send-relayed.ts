import { Call, type Terms } from '../../call/call.ts'
import { announce, over, refusal } from '../../layers/execute.ts'
import { isIdempotent } from '../../outcome/verdict2.ts'
import { isStream, type Relay } from '../../transport/relay.ts'
import { fieldOf, pathOf } from '../../transport/dispatch-options.ts'
import { Trace } from '../../outcome/trace.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/**
 * Sends what a dispatcher's caller asked for down the layers of an upstream, and hands on the response they settle for.
 *
 * @returns whether it was taken: false when it was refused in place.
 */
export function relay(upstream: Upstream, relayed: Relay): boolean {
  const { env } = upstream
  const { asked: { method }, asked } = relayed
  const trace = new Trace(upstream.name, method.toUpperCase(), pathOf(asked), env.clock.now())
  if (upstream.endpoints.isShut(trace.startedAt)) {
    relayed.fail(refusal(upstream, trace))
    return false
  }
  const call = callOf(upstream, relayed, trace)
  // Undici takes any stream down with a connection that could not be made.
  if (isStream(relayed.body)) call.replayable = false
  // One that its caller ends in its beginning never was a call.
  if (!relayed.begin(call)) return true
  announce(trace, env)
  upstream.send(call).then(
    reply => {
      // From here on the caller has the response, and its own time limit on each pause of the body.
      call.over()
      reply.whenEnded(error => { over(upstream, call, env.clock.now(), error, reply) })
      reply.handOn()
    },
    (error: unknown) => {
      over(upstream, call, env.clock.now(), error)
      relayed.fail(error)
    },
  )
  return true
}

function callOf(upstream: Upstream, relay: Relay, trace: Trace): Call {
  const { policy } = upstream
  const { asked, body, headers } = relay
  const { retry, deadline, attemptTimeout } = policy
  const { method, path: target } = trace
  const byMethod = (): boolean =>
    isIdempotent(method, fieldOf(headers, 'idempotency-key') !== undefined, retry === false ? [] : retry.methods)
  const terms: Terms = {
    policy, retry, deadline, attemptTimeout,
    // What a connection becomes after an upgrade is nobody's to repeat.
    idempotent: method !== 'CONNECT' && !asked.upgrade && (asked.idempotent ?? byMethod()),
    streamed: true,
    decode: false,
    throwing: false,
    priority: policy.priority,
    // Two responses can't both be handed through.
    hedge: false,
    maxBodySize: Infinity,
  }
  return new Call({ upstream, terms, trace, target, headers: undefined, body, signal: undefined, relay })
}
