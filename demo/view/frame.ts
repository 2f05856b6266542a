import { modeOf, type PhaseName, spanIndexAt, totalOf } from '../phases.ts'
import { graded } from '../report/table.ts'
import { duration, percent } from '../report/words.ts'
import type { Run, Track } from '../run.ts'
import { bars, paint } from './bars.ts'
import type { Colors } from './colors.ts'
import { type Cell, cells, goodputOf, latest, reachedOf } from './columns.ts'
import { doing, intro } from './text.ts'

type Paint = (text: string) => string
type Values = readonly (number | undefined)[]

const gutter = 10
const graphRows = { good: 3, reached: 2 } as const

/** The live view of a run, line by line, for a screen so many columns wide. */
export function frame(run: Run, width: number, colors: Colors): string[] {
  const grid = cells(run.experiment.spans, Math.max(20, width - gutter - 2))
  return [
    ` ${colors.bold('breakwater demo')}`,
    ` ${colors.dim(intro(run.experiment).slice(0, width - 2))}`,
    '',
    ...timeline(run, grid, colors),
    ...run.tracks.flatMap(track => ['', ...lane(run, track, grid, colors)]),
  ].map(line => line.trimEnd())
}

/** The phases, to the scale of the graphs beneath. */
function timeline(run: Run, grid: readonly Cell[], colors: Colors): string[] {
  const { spans, outage } = run.experiment
  const elapsed = Math.min(Math.max(0, run.elapsed()), totalOf(spans))
  const current = spanIndexAt(spans, elapsed)
  const perCell = totalOf(spans) / grid.length
  const names = spans.map((span, index) => {
    const room = cellOf(span.to, perCell) - cellOf(span.from, perCell)
    const text = span.name.slice(0, Math.max(0, room - 1)).padEnd(room)
    return index === current ? colors.bold(colorOf(span.name, colors)(text)) : colors.dim(text)
  })
  const line = spans.map(span => {
    const room = cellOf(span.to, perCell) - cellOf(span.from, perCell)
    const done = Math.min(Math.max(0, cellOf(elapsed, perCell) - cellOf(span.from, perCell)), room)
    return colorOf(span.name, colors)('━'.repeat(done)) + colors.dim('┄'.repeat(room - done))
  })
  const seconds = `${(elapsed / 1000).toFixed(1)} of ${Number((totalOf(spans) / 1000).toFixed(2))} s`
  const span = spans[current]!
  return [
    label('') + names.join(''),
    label('phase') + line.join(''),
    label('') + doing(modeOf(span.name, outage), run.experiment) + colors.dim(`   ${seconds}`),
  ]
}

/** One client: its numbers, its two graphs, its circuit. */
function lane(run: Run, track: Track, grid: readonly Cell[], colors: Colors): string[] {
  const good = grid.map(cell => goodputOf(run, track, cell))
  const reached = grid.map(cell => reachedOf(run, track, cell))
  const gradeAt = (index: number): Paint => grade(good[index], colors)
  const draw = (name: string, values: Values, rows: number, colorAt: (index: number) => Paint) =>
    bars(values, rows).map((line, row) => label(row === rows - 1 ? name : '', colors.dim) + paint(line, colorAt))
  return [
    ` ${colors.bold(track.name)}   ${numbers(run, track, good, reached, colors)}`,
    ...draw('goodput', good, graphRows.good, gradeAt),
    ...track.upstream ? draw('reaching', reached, graphRows.reached, () => colors.cyan) : [],
    label('circuit', colors.dim) + circuit(track, grid.length, colors),
  ]
}

function numbers(run: Run, track: Track, good: Values, reached: Values, colors: Colors): string {
  const goodput = latest(good)
  const failing = track.failing[spanIndexAt(run.experiment.spans, run.elapsed())]
  const queue = track.upstream?.at('queued', track.upstream.length - 1) ?? 0
  const parts = [
    `${grade(goodput, colors)(goodput === undefined ? '–' : percent(goodput))} good`,
    ...track.upstream ? [
      `${colors.cyan(`${Math.round((latest(reached) ?? 0) * run.experiment.rate)}/s`)} reach it`,
      `${queue.toLocaleString('en-US')} queued`,
    ] : [],
    `fails in ${failing && failing.count > 0 ? duration(failing.median) : '–'}`,
  ]
  return parts.join(colors.dim(' · '))
}

function circuit(track: Track, room: number, colors: Colors): string {
  if (!track.circuit) return colors.dim('none: every call goes out')
  const { state, why } = track.circuit
  const color = state === 'closed' ? colors.green : state === 'half-open' ? colors.yellow : colors.red
  return `${color(state)}${why && colors.dim(` – ${why}`.slice(0, Math.max(0, room - state.length)))}`
}

const grade = (goodput: number | undefined, colors: Colors): Paint =>
  goodput === undefined ? colors.dim : graded(goodput, colors)

const colorOf = (name: PhaseName, colors: Colors): Paint =>
  name === 'outage' ? colors.red : name === 'brown-out' ? colors.yellow : colors.green

const cellOf = (elapsed: number, perCell: number): number => Math.round(elapsed / perCell)

const label = (text: string, color: Paint = text => text): string => color(` ${text}`.padEnd(gutter))
