import { DrainingError, StatusError, UpstreamError } from './errors.ts'

/** The statuses for which stale-if-error allows a stale reply (RFC 5861 §4). */
const STALE_FOR: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Whether a stale reply may replace one with this status. */
export const isOutage = (status: number): boolean => STALE_FOR.has(status)

/** Whether the status asks for fewer or later requests (RFC 9110 §15.5.9, RFC 6585 §4) and says nothing about the resource. */
const isThrottled = (status: number): boolean => status === 408 || status === 429

/** Whether a stale reply may replace this error: the upstream was not called, or did not give a usable reply. */
export const staleMayServe = (error: unknown): error is UpstreamError =>
  isFailure(error) && (!(error instanceof StatusError) || isOutage(error.status))

/** Whether a fallback may replace this error: those that allow a stale reply, any other 5xx, 408 and 429. */
export const fallbackMayServe = (error: unknown): error is UpstreamError =>
  isFailure(error) && (!(error instanceof StatusError) || error.status >= 500 || isThrottled(error.status))

/** Whether the status is about the resource itself, so that an older reply is out of date. */
export const isAnswer = (status: number): boolean => status < 500 && !isThrottled(status)

/** A call that ended because the client is closing is no failure of the upstream and is not replaced. */
const isFailure = (error: unknown): error is UpstreamError =>
  error instanceof UpstreamError && !(error instanceof DrainingError) && error.stopped !== 'draining'
