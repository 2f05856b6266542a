import type { BudgetPolicy } from '../options/policy.ts'

/**
 * A token bucket that bounds retries, so that they cannot multiply the load on a failing upstream (as in the AWS SDKs). It starts
 * full; a successful call adds one token, and a successful retry returns its cost. (In the AWS SDKs, a call that needed a retry
 * adds nothing; with one failure in five, the bucket then runs so low that a few more failures empty it.) There is no minimum
 * rate per second: it would keep a struggling upstream down.
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

  /** Adds tokens for a successful call; `spent` is the cost of its last retry, 0 if there was none. */
  deposit(spent: number): void {
    this.#tokens = Math.min(this.#options.capacity, this.#tokens + 1 + spent)
  }

  /** Withdraws the cost of one retry. @returns the cost, or 0 if there are too few tokens: then there is no retry. */
  withdraw(throttled: boolean): number {
    const cost = throttled ? this.#options.throttledCost : this.#options.cost
    if (cost > this.#tokens) return 0
    this.#tokens -= cost
    return cost
  }

  /** Applies new options; the tokens stay, up to the new capacity. */
  tune(options: BudgetPolicy): void {
    this.#options = options
    this.#tokens = Math.min(this.#tokens, options.capacity)
  }
}
