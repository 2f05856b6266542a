import type { Track } from '../run.ts'
import { columnWidth, type PhaseName, type Span } from '../phases.ts'
import { recoveryTime } from './recovery.ts'

/** How a client came back after a phase. */
export interface RecoverySummary {
  /** How long it could be watched, in milliseconds. */
  readonly watched: number
  /** Milliseconds until goodput was back for good; absent when it did not come back while it was watched. */
  readonly time?: number
}

/** What one client did in one phase. Times are milliseconds, shares 0–1; what was not seen is absent. */
export interface PhaseSummary {
  readonly phase: PhaseName
  readonly seconds: number
  readonly offered: number
  readonly good: number
  /** Share of the offered calls that were answered well and in time. */
  readonly goodput: number
  readonly failed: number
  /** Of the failed, calls that were never made because too many were in flight. */
  readonly dropped: number
  readonly medianTimeToFail?: number
  readonly p99TimeToFail?: number
  /** Calls that came in at the upstream, those included that were made earlier or tried again. */
  readonly reached?: number
  /** `reached` as a share of the offered calls. */
  readonly reachedShare?: number
  readonly longestQueue?: number
  /** The longest that a call was made after its time: how well the load kept its schedule. */
  readonly late: number
  /** How the client came back after this phase, when a recovery follows it. */
  readonly recovery?: RecoverySummary
}

/** What one client did. */
export interface ClientSummary {
  readonly name: string
  readonly phases: readonly PhaseSummary[]
}

/** Sums up what is known of one client. */
export const summarize = (track: Track, spans: readonly Span[]): ClientSummary => ({
  name: track.name,
  phases: spans.map((span, index) => ({ ...phase(track, span, index), ...recovery(track, span, spans[index + 1]) })),
})

function recovery(track: Track, span: Span, next: Span | undefined): { recovery?: RecoverySummary } {
  if (next?.name !== 'recovery' || span.name === 'recovery') return {}
  const time = recoveryTime(track.calls, next)
  return { recovery: { watched: next.to - next.from, ...time !== undefined && { time } } }
}

function phase(track: Track, span: Span, index: number): PhaseSummary {
  const from = span.from / columnWidth
  const to = span.to / columnWidth
  const offered = track.calls.sum('offered', from, to)
  const good = track.calls.sum('good', from, to)
  const failing = track.failing[index]
  const reached = track.upstream?.sum('reached', from, to)
  return {
    phase: span.name,
    seconds: (span.to - span.from) / 1000,
    offered,
    good,
    goodput: share(good, offered),
    failed: offered - good,
    dropped: track.dropped[index] ?? 0,
    late: track.late[index] ?? 0,
    ...failing && failing.count > 0 && { medianTimeToFail: failing.median, p99TimeToFail: failing.p99 },
    ...track.upstream && reached !== undefined && {
      reached, reachedShare: share(reached, offered), longestQueue: track.upstream.max('queued', from, to),
    },
  }
}

const share = (part: number, whole: number): number => whole === 0 ? 0 : part / whole
