import type { Verdict } from './verdict.ts'

/** What a status proves; `hasRetryAfter` tells a 503 that asks for less from one that is merely broken. */
export function verdictOfStatus(status: number, hasRetryAfter: boolean): Verdict {
  if (status < 400) return 'healthy'
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'throttled'
  if (status === 502 || status === 503 || status === 504) return 'gateway'
  if (status >= 500 || status === 408) return 'unhealthy'
  return 'healthy'
}

/**
 * What it proves that time ran out on an attempt: nothing if the endpoint had less than it usually takes, or if this
 * process's own event loop stood still meanwhile.
 */
export const verdictOfTimeout = (waited: number, usual: number, stalled: boolean): Verdict =>
  stalled || waited < usual ? 'none' : 'gateway'

/** Whether a verdict speaks against the endpoint. */
export const failed = (verdict: Verdict): boolean => verdict !== 'healthy' && verdict !== 'none'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])

/** Whether a method changes nothing (RFC 9110 §9.2.1, RFC 10008 for QUERY). */
export const isSafe = (method: string): boolean => SAFE.has(method)

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

/**
 * Whether sending twice asks for no more than sending once (RFC 9110 §9.2.2, RFC 10008 for QUERY): by its method, by an
 * idempotency key, or because the caller says so with `retry.methods`.
 */
export const isIdempotent = (method: string, hasKey: boolean, optedIn: readonly string[]): boolean =>
  IDEMPOTENT.has(method) || hasKey || optedIn.includes(method)
