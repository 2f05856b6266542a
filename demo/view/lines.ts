import { columnWidth, spanIndexAt } from '../phases.ts'
import { duration, percent } from '../report/words.ts'
import type { Run, Track } from '../run.ts'

/** The second before a moment as one plain line: for a log, where nothing can be drawn over. */
export function line(run: Run, second: number): string {
  const { spans } = run.experiment
  const span = spans[spanIndexAt(spans, second * 1000 - 1)]!
  const clients = run.tracks.map(track => client(run, track, second))
  return `${String(second).padStart(3)} s  ${span.name.padEnd(9)}  ${clients.join('  |  ')}`.trimEnd()
}

function client(run: Run, track: Track, second: number): string {
  const to = second * 1000 / columnWidth
  const from = to - 1000 / columnWidth
  const offered = track.calls.sum('offered', from, to)
  const good = track.calls.sum('good', from, to)
  const failing = track.failing[spanIndexAt(run.experiment.spans, second * 1000 - 1)]
  const parts = [
    `${track.name} ${(offered === 0 ? '–' : percent(good / offered)).padStart(6)} good`,
    track.upstream && `${track.upstream.sum('reached', from, to)} reached`.padStart(12),
    good < offered && failing && failing.count > 0 ? `fails in ${duration(failing.median)}` : '',
    track.circuits.findLast(({ at }) => at <= second * 1000)?.state ?? '',
  ]
  return parts.filter(part => part !== '' && part !== undefined).join(', ')
}
