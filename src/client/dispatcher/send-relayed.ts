import { Call } from '../../call/call.ts'
import { startCall, endCall, refusal } from '../../layers/execute.ts'
import type { RelayedRequest } from '../../transport/relay.ts'
import { fieldOf, isStream, pathOf } from '../../transport/dispatch-options.ts'
import type { Send } from '../../call/layer.ts'
import { Trace } from '../../outcome/trace.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/**
 * Sends the request of a dispatcher's caller through the layers, and passes on the response they settle with.
 *
 * @returns false when the request was refused at once.
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
  // undici destroys any stream along with a connection that could not be made.
  if (isStream(relayed.body)) call.replayable = false
  // A request that its caller aborts in onRequestStart does not become a call.
  if (!relayed.begin(call)) return true
  startCall(upstream, trace)
  send(call).then(
    reply => {
      // From here on the caller has the response, with undici's timeout between chunks instead of the deadline.
      call.over()
      reply.whenEnded(error => { endCall(call, env.clock.now(), error, reply) })
      reply.passOn()
    },
    (error: unknown) => {
      endCall(call, env.clock.now(), error)
      relayed.fail(error)
    },
  )
  return true
}

function callOf(upstream: Upstream, relay: RelayedRequest, trace: Trace): Call {
  const { options, body, headers } = relay
  const { method, path: target } = trace
  // A connection that has been upgraded cannot be retried.
  const idempotent = method === 'CONNECT' || options.upgrade ? false : options.idempotent
  const settings = upstream.settings.ofRelayed(method, fieldOf(headers, 'idempotency-key') !== undefined, idempotent)
  return new Call({ upstream, settings, trace, target, headers: undefined, body, signal: undefined, relay })
}
