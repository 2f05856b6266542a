import { driverKeys, type Failing, upstreamKeys } from '../../demo/messages.ts'
import { columnWidth, type Span, totalOf } from '../../demo/phases.ts'
import type { Run, Track } from '../../demo/run.ts'
import { Series } from '../../demo/series.ts'

/** What a made-up client does in a moment: share of good calls, share that reaches the upstream, the queue there. */
export type Behaviour = (elapsed: number) => {
  readonly good: number
  readonly reached?: number
  readonly queued?: number
}

/** A track with 100 calls in every column. */
export function trackOf(
  name: string, spans: readonly Span[], behaviour: Behaviour, failing: readonly Failing[] = [],
): Track {
  const calls = new Series(driverKeys)
  const upstream = new Series(upstreamKeys)
  for (let column = 0; column < totalOf(spans) / columnWidth; column += 1) {
    const { good, reached = 1, queued = 0 } = behaviour(column * columnWidth)
    calls.add('offered', column, 100)
    calls.add('good', column, Math.round(good * 100))
    calls.add('failed', column, 100 - Math.round(good * 100))
    upstream.add('reached', column, Math.round(reached * 100))
    upstream.raise('queued', column, queued)
  }
  return { name, calls, upstream, failing, dropped: spans.map(() => 0), late: spans.map(() => 1), circuits: [] }
}

/** A run at a moment. */
export const runOf = (spans: readonly Span[], tracks: readonly Track[], elapsed: number): Run => ({
  experiment: { spans, rate: 2000, deadline: 500, outage: '502', workers: 20, serviceTime: 20 },
  tracks,
  elapsed: () => elapsed,
})
