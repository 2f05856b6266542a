import type { BreakerPolicy } from '../../options/policy.ts'
import type { WindowCounts } from './window.ts'

/** The failures in a row that a circuit has counted. */
export interface Runs {
  /** Gateway errors, connection failures and timeouts since the last other outcome. */
  readonly gateway: number
  /** Unhealthy outcomes of any kind since the last healthy or throttled one. */
  readonly unhealthy: number
}

/** Why a circuit opened. */
export type TripReason = 'consecutive failures' | 'failure rate' | 'slow-call rate'

/** The share of windows in which chance alone may produce a run of failures that opens the circuit. */
const FALSE_ALARMS = 1e-3
const LONGEST_RUN = 100
/** Volume is low up to this many calls per second, however long the window: there, a longer run would take seconds. */
const LOW_VOLUME = 2
/** Failures within this time, in ms, may have one common cause. */
const MOMENT = 250

const isLow = (total: number, { minimumCalls, window }: BreakerPolicy): boolean =>
  total < Math.max(minimumCalls, LOW_VOLUME * window / 1_000)

/**
 * How many failures in a row open the circuit. At low volume that is `consecutive`. At higher volume five in a row are
 * not unusual (at a failure rate of 40 %, once in a few hundred calls), so the threshold rises to a run that chance
 * alone would produce in one window of a thousand, even at the highest tolerated failure rate. A total outage is then
 * detected after some twenty calls instead of half a window.
 */
export function longestRun(total: number, options: BreakerPolicy): number {
  if (isLow(total, options)) return options.consecutive
  const { failureRate: rate } = options
  return Math.max(options.consecutive, unlikely(total, rate))
}

/** The shortest run of failures that chance produces in at most one window of a thousand. */
function unlikely(total: number, rate: number): number {
  const run = Math.ceil(Math.log((total * (1 - rate)) / FALSE_ALARMS) / -Math.log(rate))
  return Math.min(LONGEST_RUN, Number.isNaN(run) ? LONGEST_RUN : run)
}

/**
 * The same, at the failure rate of the rest of the window: an upstream that has hardly ever failed is down after
 * `consecutive` gateway errors, at any volume. (If each of 200 clients waited for fifteen, the upstream would see three
 * thousand.) Failures at almost the same time may have one small cause, such as the reset of all kept-alive
 * connections, so the run must also be longer than the calls of `MOMENT`.
 */
function suddenRun({ total, failures }: WindowCounts, run: number, { consecutive, failureRate, window }: BreakerPolicy): number {
  const rest = Math.max(0, total - run) + 2
  const seen = (Math.max(0, failures - run) + 1) / rest
  // Few calls give an uncertain rate, so one standard error is added.
  const rate = Math.min(failureRate, seen + Math.sqrt(seen * (1 - seen) / rest))
  return Math.max(consecutive, unlikely(total, rate), total / window * MOMENT)
}

const isSudden = (window: WindowCounts, { gateway }: Runs, options: BreakerPolicy): boolean =>
  gateway >= options.consecutive && gateway >= suddenRun(window, gateway, options)

/** Decides whether a closed circuit opens, and why; undefined if it stays closed. */
export function trip(window: WindowCounts, runs: Runs, options: BreakerPolicy): TripReason | undefined {
  const run = isLow(window.total, options) ? runs.gateway : runs.unhealthy
  if (run >= longestRun(window.total, options) || isSudden(window, runs, options)) return 'consecutive failures'
  if (window.total < options.minimumCalls) return undefined
  if (window.failures >= window.total * options.failureRate) return 'failure rate'
  if (window.slow > 0 && window.slow >= window.total * options.slowCallRate) return 'slow-call rate'
  return undefined
}
