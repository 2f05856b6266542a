import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError,
  ResponseError, StatusError, type UpstreamError,
} from './errors.ts'
import type { CallReport } from './upstream-error.ts'

/** The same error once more, as it was for another call: one object for each caller, which it may do with what it likes. */
export function cloneError(error: UpstreamError, report: CallReport): UpstreamError {
  const own = anew(error, report)
  own.stopped = error.stopped
  return own
}

function anew(error: UpstreamError, report: CallReport): UpstreamError {
  if (error instanceof StatusError) return new StatusError(report, error.reply.copy())
  if (error instanceof CircuitOpenError) return new CircuitOpenError(report, error.reason, error.retryAfter)
  if (error instanceof LimitExceededError) return new LimitExceededError(report, error.kind, error.limit, error.retryAfter)
  if (error instanceof DrainingError) return new DrainingError(report, error.retryAfter)
  if (error instanceof ResponseError) return new ResponseError(report, error.reason, error.verdict, error.cause)
  if (error instanceof ConnectionError) return new ConnectionError(report, error.reason, error.sent, error.blame, error.cause)
  const { timeout, phase, sent, verdict } = error as DeadlineExceededError | AttemptTimeoutError
  const Timeout = error instanceof DeadlineExceededError ? DeadlineExceededError : AttemptTimeoutError
  return new Timeout(report, timeout, phase, sent, verdict)
}
