import type { Call } from '../call/call.ts'
import type { Clock } from '../clock.ts'
import { DeadlineExceededError } from '../outcome/errors.ts'
import { verdictOfTimeout } from '../outcome/verdict.ts'
import type { DispatchOptions } from './dispatch-options.ts'

/**
 * A timeout that the request of a dispatcher's caller has set itself (`headersTimeout`, `bodyTimeout`), as the deadline it is:
 * it ends the call and is not retried. Any other error is returned as it is.
 *
 * The caller chose the time, so a timeout proves something about the upstream only if it was the upstream's turn for half of
 * the deadline and for as long as it usually takes. A pause in a body proves nothing.
 */
export function ownTimeout(error: unknown, options: DispatchOptions, call: Call, clock: Clock): unknown {
  const { code } = Object(error) as { code?: unknown }
  const phase = code === 'UND_ERR_HEADERS_TIMEOUT' ? 'headers' : 'body'
  const timeout = phase === 'headers' ? options.headersTimeout : options.bodyTimeout
  if ((phase === 'body' && code !== 'UND_ERR_BODY_TIMEOUT') || typeof timeout !== 'number') return error
  const enough = Math.max(call.usualLatency, call.settings.deadline / 2)
  const stalled = clock.stalledAt >= call.attemptAt
  const verdict = phase === 'body' ? 'none' : verdictOfTimeout(clock.now() - call.turnAt, timeout, enough, stalled)
  return new DeadlineExceededError(call.trace, timeout, phase, { sent: 'maybe', verdict, cause: error })
}
