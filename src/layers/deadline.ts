import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import type { Layer } from '../call/layer.ts'
import { verdictOfTimeout } from '../outcome/verdict.ts'
import { phaseOf, rejected, uploadTime } from '../call/completion.ts'

const IN_FLIGHT: ReadonlySet<string> = new Set(['connect', 'headers', 'body'])

/**
 * One limit for the whole call, from its start to the end of the reply's body: queue, connect, headers, body, back-off. The
 * caller's own AbortSignal ends it the same way, with its own reason. Both are let go of when the call is over.
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

/** A caller that gets the response as it is may take its time with the request: the deadline is the upstream's part of it. */
function arm(call: Call, env: Env, ms: number): void {
  call.deadlineTimer = env.clock.after(ms, late => {
    const now = env.clock.now()
    const more = uploadTime(call, call.settings.deadline, now)
    if (more <= 0) {
      call.cancel(exceeded(call, env, late))
      return
    }
    call.deadlineAt = now + more
    arm(call, env, more)
  })
}

function exceeded(call: Call, env: Env, late: number): DeadlineExceededError {
  const now = env.clock.now()
  const { trace } = call
  const phase = phaseOf(call)
  trace.mark(late > 1_000 ? `deadline passed in ${phase}; the event loop was blocked` : `deadline passed in ${phase}`, now)
  const stalled = env.clock.stalledAt >= call.attemptAt
  const { settings: { deadline }, usualLatency } = call
  const verdict = IN_FLIGHT.has(phase) ? verdictOfTimeout(now - call.turnAt, deadline, usualLatency, stalled) : 'none'
  const limit = phase === 'caller' ? call.relay?.callerTimeout : undefined
  return new DeadlineExceededError(trace, limit ?? deadline, phase, call.sent, verdict)
}
