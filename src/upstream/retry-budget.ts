import type { BudgetPolicy } from '../options/policy.ts'

/**
 * Bounds retries by what successes have paid in, so that retries cannot multiply the load on an upstream that fails
 * (the retry token bucket of the AWS SDKs). It starts full; a call that succeeds pays in one token, and a retry that
 * succeeds gets back what it cost. (There, a call that needed a retry pays in nothing. At one failure in five that
 * leaves so little over that a run of bad luck empties the bucket.) There is no floor per second: a floor keeps a
 * struggling upstream down.
 */
export class Budget {
  #options: BudgetPolicy
  #tokens: number

  constructor(options: BudgetPolicy) {
    this.#options = options
    this.#tokens = options.capacity
  }

  /** Tokens left. */
  get tokens(): number {
    return this.#tokens
  }

  /** Tokens it holds when full. */
  get capacity(): number {
    return this.#options.capacity
  }

  /** Pays in for a call that succeeded; `spent` is what its last retry had cost, 0 if there was none. */
  deposit(spent: number): void {
    this.#tokens = Math.min(this.#options.capacity, this.#tokens + 1 + spent)
  }

  /** Takes out the cost of one retry. @returns the cost, or 0 when there is not enough: no retry then. */
  withdraw(throttled: boolean): number {
    const cost = throttled ? this.#options.throttledCost : this.#options.cost
    if (cost > this.#tokens) return 0
    this.#tokens -= cost
    return cost
  }

  /** Takes new options; what is in the budget stays, up to the new capacity. */
  tune(options: BudgetPolicy): void {
    this.#options = options
    this.#tokens = Math.min(this.#tokens, options.capacity)
  }
}
