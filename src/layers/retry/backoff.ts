import type { Random } from '../../clock.ts'

/**
 * How long to wait before retry number `retry` (1 is the first): a random share of a delay that doubles up to `cap`
 * ("full jitter"; Brooker, "Exponential Backoff And Jitter", AWS 2015). It never rounds, so that callers which failed
 * together do not come back together.
 *
 * @param retry - 1 for the first retry. @param base - ms. @param cap - ms. @returns ms, from 0 to `cap`.
 */
export const backoff = (retry: number, base: number, cap: number, random: Random): number =>
  random() * Math.min(cap, base * 2 ** Math.min(retry - 1, 60))
