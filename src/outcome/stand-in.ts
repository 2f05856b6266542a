import { DrainingError, StatusError, UpstreamError } from './errors.ts'

/** The statuses by which an upstream says that it can't answer (RFC 5861 §4). */
const STALE_FOR: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** Whether a stale reply may stand in for one with this status. */
export const isOutage = (status: number): boolean => STALE_FOR.has(status)

/** Whether an upstream asks for less or for later (RFC 9110 §15.5.9, RFC 6585 §4), which says nothing about the resource. */
const isThrottled = (status: number): boolean => status === 408 || status === 429

/** Whether a stale reply may stand in for this error: the upstream could not be asked, or did not answer. */
export const staleMayServe = (error: unknown): error is UpstreamError =>
  isFailure(error) && (!(error instanceof StatusError) || isOutage(error.status))

/** Whether a fallback may: for the same, for other 5xx, and where the upstream asks for less. */
export const fallbackMayServe = (error: unknown): error is UpstreamError =>
  isFailure(error) && (!(error instanceof StatusError) || error.status >= 500 || isThrottled(error.status))

/** Whether a status is an answer about the resource itself; what was known of it before is then out of date. */
export const isAnswer = (status: number): boolean => status < 500 && !isThrottled(status)

/** What ends because the client is being closed is meant to end. */
const isFailure = (error: unknown): error is UpstreamError =>
  error instanceof UpstreamError && !(error instanceof DrainingError) && error.stopped !== 'draining'
