/**
 * What an outcome proves about the endpoint.
 *
 * - `healthy`: it did its work.
 * - `gateway`: it, or the gateway before it, could not be reached or did not answer; counts in a row and in the rate.
 * - `unhealthy`: it answered, badly; counts in the rate.
 * - `throttled`: it is up and asks for less; counts in the rate, never in a row.
 * - `none`: nothing about the endpoint (the caller's abort, our own exhaustion, a blocked event loop).
 */
export type Verdict = 'healthy' | 'gateway' | 'unhealthy' | 'throttled' | 'none'

/** Whether an attempt can have reached the upstream's application. */
export type Sent = 'never' | 'maybe' | 'yes'

/** What a status proves; `hasRetryAfter` tells a 503 that asks for less from one that is merely broken. */
export function verdictOfStatus(status: number, hasRetryAfter: boolean): Verdict {
  if (status < 400) return 'healthy'
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'throttled'
  if (status === 502 || status === 503 || status === 504) return 'gateway'
  if (status >= 500 || status === 408) return 'unhealthy'
  return 'healthy'
}

/** Of its time limit, what an endpoint must have had while nothing is known of how long it takes. */
const ENOUGH = 0.5

/**
 * What it proves that time ran out on an attempt: nothing if the endpoint had less than it usually takes (half of the limit
 * while that is unknown), or if this process's own event loop stood still meanwhile.
 *
 * @param waited - ms in which it was the endpoint's turn.
 * @param limit - ms after which time ran out.
 */
export const verdictOfTimeout = (waited: number, limit: number, usual: number, stalled: boolean): Verdict =>
  stalled || waited < (usual > 0 ? usual : ENOUGH * limit) ? 'none' : 'gateway'

/** Whether a verdict speaks against the endpoint. */
export const failed = (verdict: Verdict): boolean => verdict !== 'healthy' && verdict !== 'none'
