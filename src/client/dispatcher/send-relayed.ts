import { Call } from '../../call/call.ts'
import { startCall, endCall, refusal } from '../../layers/execute.ts'
import { isStream, type RelayedRequest } from '../../transport/relay.ts'
import { fieldOf, pathOf } from '../../transport/dispatch-options.ts'
import type { Send } from '../../call/layer.ts'
import { Trace } from '../../outcome/trace.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/**
 * Sends what a dispatcher's caller asked for down the layers of an upstream, and hands on the response they settle for.
 *
 * @returns whether it was taken: false when it was refused in place.
 */
export function sendRelayed(send: Send, upstream: Upstream, relayed: RelayedRequest): boolean {
  const { env } = upstream
  const { options: { method }, options } = relayed
  const trace = new Trace(upstream.name, method.toUpperCase(), pathOf(options), env.clock.now())
  if (upstream.endpoints.isShut(trace.startedAt)) {
    relayed.fail(refusal(upstream, trace))
    return false
  }
  const call = callOf(upstream, relayed, trace)
  // Undici takes any stream down with a connection that could not be made.
  if (isStream(relayed.body)) call.replayable = false
  // One that its caller ends in its beginning never was a call.
  if (!relayed.begin(call)) return true
  startCall(upstream, trace)
  send(call).then(
    reply => {
      // From here on the caller has the response, and its own time limit on each pause of the body.
      call.over()
      reply.whenEnded(error => { endCall(upstream, call, env.clock.now(), error, reply) })
      reply.handOn()
    },
    (error: unknown) => {
      endCall(upstream, call, env.clock.now(), error)
      relayed.fail(error)
    },
  )
  return true
}

function callOf(upstream: Upstream, relay: RelayedRequest, trace: Trace): Call {
  const { options, body, headers } = relay
  const { method, path: target } = trace
  // What a connection becomes after an upgrade is nobody's to repeat.
  const idempotent = method === 'CONNECT' || options.upgrade ? false : options.idempotent
  const settings = upstream.settings.ofRelayed(method, fieldOf(headers, 'idempotency-key') !== undefined, idempotent)
  return new Call({ upstream, settings, trace, target, headers: undefined, body, signal: undefined, relay })
}
