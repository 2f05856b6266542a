import { columnWidth, type Span, totalOf } from '../phases.ts'
import type { Run, Track } from '../run.ts'
import { type Curve, type Panel, plot } from './plot.ts'
import { windowLength } from './recovery.ts'
import { percent } from './words.ts'

const A_LITTLE = 1.25

/** Draws goodput over time, and the calls that reached the upstream, as an SVG picture with a panel for each client. */
export function chart({ experiment, tracks }: Run): string {
  const { spans, rate, deadline } = experiment
  return plot({
    title: `${rate} calls/s through each client, deadline ${deadline} ms`,
    label: `Goodput over time through ${tracks.map(({ name }) => name).join(' and ')}`,
    spans,
    panels: tracks.map(track => goodputPanel(track, spans, rate, track.name)),
  })
}

/** What was answered well and what reached the upstream, as shares of the calls. */
export function goodputPanel(track: Track, spans: readonly Span[], rate: number, title: string): Panel {
  const { calls, upstream } = track
  const good = windows(spans).map(({ from, to }) => {
    const offered = calls.sum('offered', from, to)
    return offered === 0 ? 0 : calls.sum('good', from, to) / offered
  })
  const due = rate * windowLength / 1000
  const shares = upstream === undefined ? [] : windows(spans).map(({ from, to }) => upstream.sum('reached', from, to) / due)
  // A little more than all, as when the load itself is uneven, is no news and must not squeeze the rest.
  const isMore = shares.some(share => share > A_LITTLE)
  const reached: Curve[] = upstream === undefined ? [] : [{
    name: 'reached the upstream', color: 'blue', look: 'line',
    values: isMore ? shares : shares.map(share => Math.min(1, share)),
  }]
  const curves: Curve[] = [{ name: 'answered well', color: 'green', look: 'area', values: good }, ...reached]
  return { title, step: windowLength, most: 1, write: percent, curves }
}

/** Windows from the start to the end of the run, the last one cut short if need be. */
function windows(spans: readonly Span[]): { readonly from: number; readonly to: number }[] {
  const step = windowLength / columnWidth
  return Array.from({ length: Math.floor(totalOf(spans) / columnWidth / step) }, (_, index) =>
    ({ from: index * step, to: (index + 1) * step }))
}
