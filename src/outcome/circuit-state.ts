/**
 * The state of an endpoint's circuit.
 *
 * - `closed`: calls go through.
 * - `open`: calls are refused, but for probes.
 * - `half-open`: probes are out, or have begun to succeed; all others are refused.
 * - `isolated`: somebody opened it by hand; nothing goes through until `restore()`.
 */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated'
