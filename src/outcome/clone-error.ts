import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError,
  ResponseError, StatusError, type UpstreamError,
} from './errors.ts'
import type { CallReport } from './upstream-error.ts'

/** Copies an error for another call, so that each caller owns the object it gets. */
export function cloneError(error: UpstreamError, report: CallReport): UpstreamError {
  const clone = rebuild(error, report)
  clone.stopped = error.stopped
  return clone
}

function rebuild(error: UpstreamError, report: CallReport): UpstreamError {
  if (error instanceof StatusError) return new StatusError(report, error.reply.copy())
  if (error instanceof CircuitOpenError) return new CircuitOpenError(report, error.reason, error.retryAfter)
  if (error instanceof LimitExceededError) return new LimitExceededError(report, error.kind, error.limit, error.retryAfter)
  if (error instanceof DrainingError) return new DrainingError(report, error.retryAfter)
  if (error instanceof ResponseError) return new ResponseError(report, error.reason, error.verdict, error.cause)
  if (error instanceof ConnectionError) return new ConnectionError(report, error.reason, error)
  const timedOut = error as DeadlineExceededError | AttemptTimeoutError
  const Timeout = error instanceof DeadlineExceededError ? DeadlineExceededError : AttemptTimeoutError
  return new Timeout(report, timedOut.timeout, timedOut.phase, timedOut)
}
