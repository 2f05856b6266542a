/**
 * What an outcome proves about the endpoint.
 *
 * - `healthy`: it works.
 * - `gateway`: the endpoint, or the gateway in front of it, could not be reached or did not respond; counts towards
 *   consecutive failures and the failure rate.
 * - `unhealthy`: it responded with an error; counts towards the failure rate.
 * - `throttled`: it is up and asks for fewer requests; counts towards the failure rate, never towards consecutive failures.
 * - `none`: nothing about the endpoint (an abort by the caller, exhausted resources or a blocked event loop in this process).
 */
export type Verdict = 'healthy' | 'gateway' | 'unhealthy' | 'throttled' | 'none'

/** Whether an attempt can have reached the upstream's application. */
export type Sent = 'never' | 'maybe' | 'yes'

/** What a status proves; `hasRetryAfter` separates a 503 that asks for fewer requests from a 503 that signals a failure. */
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
 * What a timeout proves: nothing if the endpoint had less time than it usually takes (half of the limit while that is unknown),
 * or if the event loop of this process was blocked meanwhile.
 *
 * @param waited - how long it was the endpoint's turn, in ms.
 * @param limit - the limit that passed, in ms.
 */
export const verdictOfTimeout = (waited: number, limit: number, usual: number, stalled: boolean): Verdict =>
  stalled || waited < (usual > 0 ? usual : ENOUGH * limit) ? 'none' : 'gateway'

/** Whether a verdict counts against the endpoint. */
export const failed = (verdict: Verdict): boolean => verdict !== 'healthy' && verdict !== 'none'
