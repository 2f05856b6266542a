import { columnWidth, type Span, totalOf } from '../phases.ts'
import type { Run, Track } from '../run.ts'
import { windowLength } from '../report/recovery.ts'

/** A stretch of time as the screen shows it: columns of the series from `from` to before `to`. */
export interface Cell {
  readonly from: number
  readonly to: number
}

/** Cuts a run into cells that fill a width; none is shorter than the window goodput is judged over. */
export function cells(spans: readonly Span[], width: number): Cell[] {
  const columns = totalOf(spans) / columnWidth
  const number = Math.max(1, Math.min(width, Math.floor(totalOf(spans) / windowLength)))
  return Array.from({ length: width }, (_, index) => {
    const part = Math.floor(index * number / width)
    return { from: Math.round(part * columns / number), to: Math.round((part + 1) * columns / number) }
  })
}

/** The share of a cell's calls that went well; undefined while some of them are in flight or still to be made. */
export function goodputOf(run: Run, track: Track, { from, to }: Cell): number | undefined {
  const offered = track.calls.sum('offered', from, to)
  const good = track.calls.sum('good', from, to)
  const settled = good + track.calls.sum('failed', from, to)
  const over = run.elapsed() >= to * columnWidth && track.calls.length >= to
  return over && offered > 0 && settled >= offered ? good / offered : undefined
}

/** The calls per second that reached the upstream, as a share of the rate; undefined for what is still to come. */
export function reachedOf(run: Run, track: Track, { from, to }: Cell): number | undefined {
  if (!track.upstream || track.upstream.length < to || run.elapsed() < to * columnWidth) return undefined
  const seconds = (to - from) * columnWidth / 1000
  return track.upstream.sum('reached', from, to) / seconds / run.experiment.rate
}

/** The last value that is known. */
export const latest = (values: readonly (number | undefined)[]): number | undefined =>
  values.findLast(value => value !== undefined)
