import { columnWidth, type Span, totalOf } from '../phases.ts'
import type { Run, Track } from '../run.ts'
import { windowLength } from './recovery.ts'

const size = { width: 960, left: 64, right: 24, top: 84, panel: 132, gap: 52, bottom: 40 } as const
const inner = size.width - size.left - size.right

const ink = { text: '#1f2328', faint: '#59636e', grid: '#d1d9e0', good: '#1a7f37', reached: '#0969da' } as const
const calm = '#f6f8fa'
const tint = { health: calm, recovery: calm, load: calm, outage: '#ffe2e0', 'brown-out': '#fff3c4' } as const

interface Point {
  readonly at: number
  readonly value: number
}

/** Draws goodput over time, and the calls that reached the upstream, as an SVG picture with a panel for each client. */
export function chart(seen: Run): string {
  const { spans, rate, deadline } = seen.experiment
  const height = size.top + seen.tracks.length * (size.panel + size.gap) - size.gap + size.bottom
  const names = seen.tracks.map(track => track.name).join(' and ')
  const title = `${rate} calls/s through each client, deadline ${deadline} ms`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" width="${size.width}" `
    + `height="${height}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img">`,
    `<title>Goodput over time through ${escape(names)}</title>`,
    `<rect width="${size.width}" height="${height}" rx="8" fill="#ffffff"/>`,
    text(size.left, 28, title, 'font-weight="600" font-size="15"'),
    ...legend(seen),
    ...seen.tracks.flatMap((track, index) => panel(seen, track, size.top + index * (size.panel + size.gap))),
    ...timeAxis(spans, height - size.bottom),
    '</svg>\n',
  ].join('\n')
}

function legend(seen: Run): string[] {
  const right = size.width - size.right
  const reached = seen.tracks.some(track => track.upstream)
  const left = right - (reached ? 300 : 112)
  return [
    `<path d="M${left} 18h12v12h-12z" stroke="${ink.good}" fill="${ink.good}" fill-opacity="0.35"/>`,
    text(left + 18, 28, 'answered well'),
    ...reached ? [
      `<path d="M${left + 126} 24h18" stroke="${ink.reached}" stroke-width="2"/>`,
      text(left + 150, 28, 'reached the upstream'),
    ] : [],
  ]
}

/** One client: bands for the phases, grid lines, goodput as an area, the upstream's share as a line. */
function panel(seen: Run, track: Track, top: number): string[] {
  const { spans } = seen.experiment
  const x = (at: number): number => round(size.left + at / totalOf(spans) * inner)
  const y = (value: number): number => round(top + size.panel * (1 - Math.min(1, Math.max(0, value))))
  const good = steps(goodput(track, spans), x, y)
  const bands = spans.flatMap(({ name, from, to }) => [
    `<rect x="${x(from)}" y="${top}" width="${round(x(to) - x(from))}" height="${size.panel}" fill="${tint[name]}"/>`,
    ...x(to) - x(from) > name.length * 7
      ? [text((x(from) + x(to)) / 2, top - 8, name, `text-anchor="middle" fill="${ink.faint}" font-size="12"`)] : [],
  ])
  const grid = [0, 0.5, 1].flatMap(value => [
    `<path d="M${size.left} ${y(value)}h${inner}" stroke="${ink.grid}"/>`,
    text(size.left - 8, y(value) + 4, `${value * 100} %`, `text-anchor="end" fill="${ink.faint}" font-size="12"`),
  ])
  return [
    ...bands,
    text(size.left, top - 24, track.name, 'font-weight="600"'),
    ...grid,
    ...good && [
      `<path d="${good}V${y(0)}H${size.left}Z" fill="${ink.good}" fill-opacity="0.22"/>`,
      `<path d="${good}" fill="none" stroke="${ink.good}" stroke-width="2" stroke-linejoin="round"/>`,
    ] || [],
    ...reachedLine(seen, track, x, y),
  ]
}

function reachedLine(seen: Run, track: Track, x: (at: number) => number, y: (value: number) => number): string[] {
  const { upstream } = track
  if (!upstream) return []
  const due = seen.experiment.rate * windowLength / 1000
  const points = windows(seen.experiment.spans)
    .map(({ at, from, to }) => ({ at, value: upstream.sum('reached', from, to) / due }))
  const stroke = `stroke="${ink.reached}" stroke-width="1.5" stroke-linejoin="round"`
  return [`<path d="${steps(points, x, y)}" fill="none" ${stroke}/>`]
}

function goodput(track: Track, spans: readonly Span[]): Point[] {
  return windows(spans).map(({ at, from, to }) => {
    const offered = track.calls.sum('offered', from, to)
    return { at, value: offered === 0 ? 0 : track.calls.sum('good', from, to) / offered }
  })
}

/** Windows from the start to the end of the run, the last one cut short if need be. */
function windows(spans: readonly Span[]): { readonly at: number; readonly from: number; readonly to: number }[] {
  const columns = totalOf(spans) / columnWidth
  const step = windowLength / columnWidth
  return Array.from({ length: Math.floor(columns / step) }, (_, index) => ({
    at: (index + 1) * windowLength, from: index * step, to: (index + 1) * step,
  }))
}

/** A path that holds each value up to its moment. */
function steps(points: readonly Point[], x: (at: number) => number, y: (value: number) => number): string {
  const first = points[0]
  if (!first) return ''
  return points.reduce((path, { at, value }) => `${path}V${y(value)}H${x(at)}`, `M${size.left} ${y(first.value)}`)
}

function timeAxis(spans: readonly Span[], top: number): string[] {
  const seconds = totalOf(spans) / 1000
  const every = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1200].find(step => seconds / step <= 14) ?? 3600
  return Array.from({ length: Math.floor(seconds / every) + 1 }, (_, index) => {
    const x = round(size.left + index * every / seconds * inner)
    return text(x, top + 22, `${index * every} s`, `text-anchor="middle" fill="${ink.faint}" font-size="12"`)
  })
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const fill = attributes.includes('fill=') ? '' : `fill="${ink.text}" `
  return `<text x="${round(x)}" y="${round(y)}" ${fill}${attributes}>${escape(content)}</text>`
}

const round = (value: number): number => Math.round(value * 10) / 10

const escape = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
