/** When the circuit of an endpoint opens, and how it closes again. */
export interface BreakerOptions {
  /** Ratio of failed calls in the window at which the circuit opens. @default 0.5 */
  readonly failureRate?: number
  /** Number of calls that must have ended in the window before a rate counts. @default 20 */
  readonly minimumCalls?: number
  /** Length of the rolling window, in ms; at least 2 × attemptTimeout. @default 10000, or 2 × attemptTimeout if more */
  readonly window?: number
  /**
   * Number of consecutive gateway errors that opens the circuit at low volume. At high volume more are needed, so that chance
   * alone does not open it.
   * @default 5
   */
  readonly consecutive?: number
  /** Duration from which a call counts as slow, in ms; Infinity: no call does. @default Infinity */
  readonly slowCallDuration?: number
  /** Ratio of slow calls in the window at which the circuit opens. @default 0.8 */
  readonly slowCallRate?: number
  /** Number of probes that must succeed, one at a time or concurrently, before the circuit closes. @default 3 */
  readonly probes?: number
  /** Maximum duration of a probe, in ms. @default attemptTimeout, at most 5000 */
  readonly probeTimeout?: number
  /** Ratio of the calls refused while open that are let through as probes before `openTime` ends. @default 0.015 */
  readonly probeShare?: number
  /** First open time, in ms, with jitter. It doubles with each failed probe. @default 1000, or maxOpenTime if less */
  readonly openTime?: number
  /** Maximum open time, in ms. @default 30000, or openTime if more */
  readonly maxOpenTime?: number
  /**
   * Duration, in ms, for which concurrency grows gradually after the circuit has closed: from `probes`, by one with each
   * success; 0: full concurrency at once.
   * @default 1000
   */
  readonly ramp?: number
  /**
   * Maximum time, in ms, for which a Retry-After holds back the endpoint's other calls. It ends early once as many calls as
   * `probes` that were already in flight have succeeded.
   * @default 5000
   */
  readonly maxHold?: number
  /** Whether the Retry-After of a 429 holds back the endpoint's other calls, as that of a 503 does. @default false */
  readonly holdOn429?: boolean
}
