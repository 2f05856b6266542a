import type { BreakerPolicy } from '../../options/policy.ts'
import type { WindowCounts } from './window.ts'

/** Failures in a row, as the circuit counts them. */
export interface Runs {
  /** Gateway errors, connection failures and timeouts since the last other outcome. */
  readonly gateway: number
  /** Unhealthy outcomes of any kind since the last healthy or throttled one. */
  readonly unhealthy: number
}

/** Why a circuit opened. */
export type TripReason = 'consecutive failures' | 'failure rate' | 'slow-call rate'

/** How rarely a run of failures may be a run of bad luck: one window in a thousand. */
const FALSE_ALARMS = 1e-3
const LONGEST_RUN = 100
/** Calls a second up to which volume is low, however long the window: there, waiting for a longer run takes seconds. */
const LOW_VOLUME = 2
/** Failures within so many ms may have one cause. */
const MOMENT = 250

const isLow = (total: number, { minimumCalls, window }: BreakerPolicy): boolean =>
  total < Math.max(minimumCalls, LOW_VOLUME * window / 1_000)

/**
 * How many failures in a row are too many to be chance. With few calls that is `consecutive`. With many, five in a row
 * is nothing unusual (at a failure rate of 40 % it happens every few hundred calls), so the bar rises until a run of
 * that length would turn up by chance in one window of a thousand even at the failure rate that is just tolerated. A
 * total outage is then seen after some twenty calls instead of half a window.
 */
export function longestRun(total: number, options: BreakerPolicy): number {
  if (isLow(total, options)) return options.consecutive
  const { failureRate: rate } = options
  return Math.max(options.consecutive, unlikely(total, rate))
}

/** The shortest run of failures that chance would produce in one window of a thousand at most. */
function unlikely(total: number, rate: number): number {
  const run = Math.ceil(Math.log((total * (1 - rate)) / FALSE_ALARMS) / -Math.log(rate))
  return Math.min(LONGEST_RUN, Number.isNaN(run) ? LONGEST_RUN : run)
}

/**
 * The same at the failure rate that the rest of the window shows: an upstream that has hardly ever failed is down after
 * `consecutive` gateway errors, at any volume. (Of 200 clients that share its calls each sees few: if all of them waited
 * for fifteen, the upstream would see three thousand.) Failures within a moment may have one small cause, such as the
 * reset of all kept-alive connections, so the run must also be longer than what comes in a moment.
 */
function suddenRun({ total, failures }: WindowCounts, run: number, { consecutive, failureRate, window }: BreakerPolicy): number {
  const rest = Math.max(0, total - run) + 2
  const seen = (Math.max(0, failures - run) + 1) / rest
  // Few calls say little about a rate: it is taken to be one standard error higher.
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
