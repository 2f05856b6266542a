/**
 * The state of an endpoint's circuit.
 *
 * - `closed`: calls go through.
 * - `open`: calls are refused, except probes.
 * - `half-open`: probes are in flight or have begun to succeed; all other calls are refused.
 * - `isolated`: opened by hand with `isolate()`; no call goes through until `restore()`.
 */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated'
