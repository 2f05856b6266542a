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
