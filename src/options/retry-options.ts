/** When and how a failed attempt is made again. */
export interface RetryOptions {
  /** Retries after the first attempt; the budget may allow fewer. @default 4 */
  readonly limit?: number
  /** Methods repeatable besides GET, HEAD, OPTIONS, TRACE, PUT, DELETE and QUERY. @default [] */
  readonly methods?: readonly string[]
  /** Statuses that are retried. @default [408, 429, 500, 502, 503, 504] */
  readonly statuses?: readonly number[]
  /** Back-off before the first retry, in ms, before jitter; it doubles with each. @default 50, or maxBackoff if that is less */
  readonly backoff?: number
  /**
   * Back-off before the first retry of a throttled call that has no Retry-After, in ms. @default 1000, or maxBackoff if
   * that is less
   */
  readonly throttledBackoff?: number
  /** Longest back-off, in ms. @default 20000, or the longest of the other two if that is more */
  readonly maxBackoff?: number
  /** What bounds all retries of an upstream together. */
  readonly budget?: BudgetOptions
}

/** The retry budget: one per upstream, paid for by successes. */
export interface BudgetOptions {
  /** Tokens a full budget holds; it starts full. @default 500 */
  readonly capacity?: number
  /** Tokens a retry costs; given back if it succeeds. A call that succeeds pays in 1. @default 14 */
  readonly cost?: number
  /** Tokens a retry of a throttled call costs. @default 5 */
  readonly throttledCost?: number
}
