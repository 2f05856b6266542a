/** When an endpoint's circuit opens, and how it closes again. */
export interface BreakerOptions {
  /** Share of failures in the window at which the circuit opens. @default 0.5 */
  readonly failureRate?: number
  /** Settled calls the window must hold before a rate counts. @default 20 */
  readonly minimumCalls?: number
  /**
   * Length of the rolling window in ms; at least 2 × attemptTimeout. @default 10000, or 2 × attemptTimeout if that is
   * more
   */
  readonly window?: number
  /**
   * Gateway errors in a row that open it at low volume; at high volume the bar is raised to what chance rules out.
   * @default 5
   */
  readonly consecutive?: number
  /** A call that takes at least this long, in ms, is slow; Infinity: none is. @default Infinity */
  readonly slowCallDuration?: number
  /** Share of slow calls in the window at which the circuit opens. @default 0.8 */
  readonly slowCallRate?: number
  /** Probes that must succeed, one after the other or together, before it closes. @default 3 */
  readonly probes?: number
  /** Longest time a probe may take, in ms. @default attemptTimeout, at most 5000 */
  readonly probeTimeout?: number
  /** Share of the calls refused while open that are let through as probes, before `openTime` is over. @default 0.015 */
  readonly probeShare?: number
  /** First open time, in ms; it doubles with each failed probe and is jittered. @default 1000, or maxOpenTime if that is less */
  readonly openTime?: number
  /** Longest open time, in ms. @default 30000, or openTime if that is more */
  readonly maxOpenTime?: number
  /**
   * After closing, concurrency grows from `probes` by one with each success for this long, in ms; 0: at once. @default
   * 1000
   */
  readonly ramp?: number
  /**
   * Longest time, in ms, a Retry-After may hold the endpoint's other calls. It ends sooner when as many calls as `probes` that
   * were in flight come back well meanwhile. @default 5000
   */
  readonly maxHold?: number
  /** Whether a 429's Retry-After holds the endpoint's other calls, as a 503's does. @default false */
  readonly holdOn429?: boolean
}
