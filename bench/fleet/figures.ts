import { columnWidth, type Span } from '../../demo/phases.ts'
import { summarize } from '../../demo/report/summary.ts'
import type { Figures, Ranked } from '../stats.ts'
import type { Pair } from './clients.ts'
import type { Outcome } from './simulate.ts'

/** What is told of a fleet; of several seeds the worst. */
export const FLEET_COLUMNS: readonly Ranked[] = [
  { key: 'goodput', title: 'goodput', unit: 'share', worst: 'least' },
  { key: 'spared', title: 'where all is well', unit: 'share', worst: 'least' },
  { key: 'after', title: 'goodput after', unit: 'share', worst: 'least' },
  { key: 'back', title: 'back to 95 %', unit: 'ms', worst: 'most' },
  { key: 'reached', title: 'reached / offered', unit: 'ratio', worst: 'most' },
  { key: 'peak', title: 'peak / offered', unit: 'ratio', worst: 'most' },
  { key: 'peakAfter', title: 'peak after', unit: 'ratio', worst: 'most' },
  { key: 'queue', title: 'longest queue', unit: 'count', worst: 'most' },
  { key: 'opened', title: 'opened / pair', unit: 'ratio', worst: 'most' },
  { key: 'together', title: 'probes at once', unit: 'share', worst: 'most' },
  { key: 'dip', title: 'worst second', unit: 'share', worst: 'least' },
  { key: 'fair', title: 'fairness', unit: 'ratio', worst: 'least' },
  { key: 'worst', title: 'worst client', unit: 'share', worst: 'least' },
]

const columnsOf = ({ from, to }: Span): readonly [from: number, to: number] => [from / columnWidth, to / columnWidth]
/** Columns of 100 ms and of a second. */
const [TENTH, SECOND] = [100 / columnWidth, 1_000 / columnWidth]

/** The figures of one run. */
export function figuresOfRun(outcome: Outcome): Figures {
  const { plan, track, pairs } = outcome
  const { judged, stretches, rate } = plan
  const [span, next] = [stretches[judged]!, stretches[judged + 1]]
  const phases = summarize(track, stretches).phases
  const { goodput, reachedShare, longestQueue, recovery } = phases[judged]!
  const peak = (during: Span | undefined): number | undefined =>
    during && Math.max(...slices(during, TENTH).map(([from, to]) => track.upstream!.sum('reached', from, to))) / (rate / 10)
  const [hit, spared] = [pairs.filter(pair => isHit(outcome, pair)), pairs.filter(pair => !isHit(outcome, pair))]
  const isRecovery = next?.name === 'recovery'
  return {
    goodput: shareOf(hit, judged) ?? goodput,
    spared: shareOf(spared, judged),
    after: isRecovery ? phases[judged + 1]?.goodput : undefined,
    back: recovery === undefined ? undefined : recovery.time ?? Infinity,
    reached: reachedShare,
    peak: peak(span),
    peakAfter: isRecovery ? peak(next) : undefined,
    queue: longestQueue,
    opened: sum(hit.map(({ opened }) => sum(opened))) / hit.length,
    together: together(outcome, span),
    dip: isRecovery ? dip(outcome, next, recovery?.time) : undefined,
    ...goodput > 0.01 && pairs.length === plan.clients ? fairness(pairs, judged) : {},
  }
}

const isHit = ({ plan }: Outcome, { upstream }: Pair): boolean => {
  const { hits } = plan.stretches[plan.judged]!
  return hits === undefined || Array.from({ length: plan.endpoints }).some((_, endpoint) => hits(upstream, endpoint))
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const shareOf = (pairs: readonly Pair[], stretch: number): number | undefined => {
  const offered = sum(pairs.map(pair => pair.offered[stretch]!))
  return offered === 0 ? undefined : sum(pairs.map(pair => pair.good[stretch]!)) / offered
}

/** The span in slices of so many columns. */
function slices(span: Span, width: number): (readonly [from: number, to: number])[] {
  const [from, to] = columnsOf(span)
  return Array.from({ length: Math.floor((to - from) / width) }, (_, index) =>
    [from + index * width, from + (index + 1) * width] as const)
}

/** The largest share of a span's probes that came within a tenth of a second; of few it would say nothing. */
function together({ fleet }: Outcome, span: Span): number | undefined {
  const probes = slices(span, TENTH).map(([from, to]) => fleet.sum('probes', from, to))
  const all = sum(probes)
  return all < 100 ? undefined : Math.max(...probes) / all
}

/** The least goodput of any second once the fleet is back: what swings would show in. */
function dip({ track: { calls } }: Outcome, span: Span, back: number | undefined): number | undefined {
  if (back === undefined) return undefined
  const from = Math.ceil((span.from + back) / 1_000) * 1_000
  return Math.min(...slices({ ...span, from }, SECOND)
    .map(([from, to]) => calls.sum('good', from, to) / calls.sum('offered', from, to)))
}

/** Jain's index of the clients' goodputs (Jain, Chiu and Hawe, 1984): 1 when all fare alike; and who fares worst. */
function fairness(pairs: readonly Pair[], stretch: number): { fair: number; worst: number } {
  const shares = pairs.filter(({ offered }) => offered[stretch]! > 0).map(pair => pair.good[stretch]! / pair.offered[stretch]!)
  return { fair: sum(shares) ** 2 / shares.length / sum(shares.map(share => share ** 2)), worst: Math.min(...shares) }
}
