import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import type { Layer } from '../call/layer.ts'
import { DURING } from '../outcome/upstream-error.ts'
import { verdictOfTimeout } from '../outcome/verdict.ts'
import { rejected } from '../call/completion.ts'

const IN_FLIGHT: ReadonlySet<string> = new Set(['connect', 'headers', 'body'])

/**
 * One time limit for the whole call, from its start to the end of the reply's body: queue, connect, headers, body, back-off. The
 * caller's AbortSignal ends the call in the same way, with its own reason. Both are released when the call is over.
 */
export const deadline = (env: Env): Layer => next => call => {
  const { signal } = call
  if (signal?.aborted === true) return rejected(signal.reason)
  call.deadlineTimer = env.clock.after(call.deadlineAt - call.at, late => { call.cancel(exceeded(call, env, late)) })
  if (signal === undefined) return next(call)
  const abort = (): void => {
    call.trace.mark('aborted by the caller', env.clock.now())
    call.cancel(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  call.whenOver(() => { signal.removeEventListener('abort', abort) })
  return next(call)
}

function exceeded(call: Call, env: Env, late: number): DeadlineExceededError {
  const now = env.clock.now()
  const { phase, trace } = call
  trace.mark(`deadline exceeded ${DURING[phase]}${late > 1_000 ? ' (the event loop was blocked)' : ''}`, now)
  const inFlight = IN_FLIGHT.has(phase)
  const stalled = env.clock.stalledAt >= call.attemptAt
  const verdict = inFlight ? verdictOfTimeout(now - call.attemptAt, call.usualLatency, stalled) : 'none'
  const sent = trace.attempts === 0 || (trace.attempts === 1 && phase === 'connect') ? 'never' : 'maybe'
  return new DeadlineExceededError(trace, call.settings.deadline, phase, { sent, verdict })
}
