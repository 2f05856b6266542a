/** Whether and when a failed attempt is retried. */
export interface RetryOptions {
  /** Maximum number of retries after the first attempt; the budget may allow fewer. @default 4 */
  readonly limit?: number
  /** Methods that may be repeated besides GET, HEAD, OPTIONS, TRACE, PUT, DELETE and QUERY. @default [] */
  readonly methods?: readonly string[]
  /** Statuses that are retried. @default [408, 429, 500, 502, 503, 504] */
  readonly statuses?: readonly number[]
  /** Back-off before the first retry, in ms, before jitter. It doubles with each retry. @default 50, or maxBackoff if less */
  readonly backoff?: number
  /**
   * Back-off before the first retry of a throttled call whose reply has no Retry-After, in ms.
   * @default 1000, or maxBackoff if less
   */
  readonly throttledBackoff?: number
  /** Maximum back-off, in ms. @default 20000, or the greater of the other two if more */
  readonly maxBackoff?: number
  /** The retry budget, which limits all retries of an upstream together. */
  readonly budget?: BudgetOptions
}

/** The retry budget: one per upstream. Successful calls pay in, retries pay out. */
export interface BudgetOptions {
  /** Tokens that a full budget holds. It starts full. @default 500 */
  readonly capacity?: number
  /** Tokens that a retry costs; they are refunded if it succeeds. Each successful call pays in 1 token. @default 14 */
  readonly cost?: number
  /** Tokens that a retry of a throttled call costs. @default 5 */
  readonly throttledCost?: number
}
