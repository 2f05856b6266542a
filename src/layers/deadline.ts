import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import type { Layer } from '../call/layer.ts'
import { DURING } from '../outcome/upstream-error.ts'
import { verdictOfTimeout } from '../outcome/verdict.ts'
import { isUploading, phaseOf, rejected, uploadTime, waitsForCaller } from '../call/completion.ts'

const IN_FLIGHT: ReadonlySet<string> = new Set(['connect', 'headers', 'body'])

/**
 * One time limit for the whole call, from its start to the end of the reply's body: queue, connect, headers, body, back-off. The
 * caller's AbortSignal ends the call in the same way, with its own reason. Both are released when the call is over.
 */
export const deadline = (env: Env): Layer => next => call => {
  const { signal } = call
  if (signal?.aborted === true) return rejected(signal.reason)
  arm(call, env, call.deadlineAt - call.at)
  if (signal === undefined) return next(call)
  const abort = (): void => {
    call.trace.mark('aborted by the caller', env.clock.now())
    call.cancel(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  call.whenOver(() => { signal.removeEventListener('abort', abort) })
  return next(call)
}

/**
 * The caller of a relayed call may take its time with the request's body: the deadline is for the upstream's part, and a limit of
 * its own for each pause of the caller's.
 */
function arm(call: Call, env: Env, ms: number): void {
  const pause = call.relay !== undefined && call.body !== undefined ? call.relay.uploadTimeout : Infinity
  call.deadlineTimer = env.clock.after(Math.min(ms, pause), late => {
    const now = env.clock.now()
    const more = uploadTime(call, call.settings.deadline, now)
    const left = isUploading(call) && waitsForCaller(call) ? more : Math.max(more, call.deadlineAt - now)
    if (left <= 0) {
      call.cancel(exceeded(call, env, late))
      return
    }
    call.deadlineAt = Math.max(call.deadlineAt, now + left)
    arm(call, env, left)
  })
}

function exceeded(call: Call, env: Env, late: number): DeadlineExceededError {
  const now = env.clock.now()
  const { trace, settings: { deadline }, usualLatency, sent } = call
  const phase = phaseOf(call)
  trace.mark(`deadline exceeded ${DURING[phase]}${late > 1_000 ? ' (the event loop was blocked)' : ''}`, now)
  const stalled = env.clock.stalledAt >= call.attemptAt
  const verdict = IN_FLIGHT.has(phase) ? verdictOfTimeout(now - call.turnAt, deadline, usualLatency, stalled) : 'none'
  const limit = phase === 'caller' ? call.relay?.uploadTimeout : undefined
  return new DeadlineExceededError(trace, limit ?? deadline, phase, { sent, verdict })
}
