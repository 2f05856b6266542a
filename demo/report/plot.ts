import { type Span, totalOf } from '../phases.ts'

/** One quantity over time. */
export interface Curve {
  readonly name: string
  readonly color: keyof typeof colors
  /** Told apart without colour, too: filled below, a line, or a dashed one. */
  readonly look: 'area' | 'line' | 'dashed'
  /** One value per step; each stands for its whole step. */
  readonly values: readonly number[]
}

/** Quantities of one unit on one pair of axes. */
export interface Panel {
  readonly title: string
  /** ms. */
  readonly step: number
  readonly curves: readonly Curve[]
  /** The axis reaches at least to this. */
  readonly most: number
  /** Writes a value beside the axis. */
  readonly write: (value: number) => string
  /** In place of the usual height. */
  readonly height?: number
}

/** What something is in, over time: a coloured band with the name of each state. */
export interface Strip {
  readonly title: string
  /** ms. */
  readonly step: number
  /** The state per step. */
  readonly states: readonly string[]
}

/** Quantities over time, one panel below the other, over bands that tell the phases. */
export interface Plot {
  readonly title: string
  /** For those who cannot see it. */
  readonly label: string
  readonly spans: readonly Span[]
  readonly panels: readonly (Panel | Strip)[]
}

const size = { width: 960, left: 64, right: 24, top: 84, panel: 132, strip: 18, gap: 52, bottom: 40 } as const
const inner = size.width - size.left - size.right

/** Okabe and Ito's palette, a little darker: told apart by those who do not see all colours. */
const colors = { green: '#00805e', blue: '#0067a8', orange: '#c24f00', purple: '#9c4a7f', gray: '#59636e' } as const
const ink = { text: '#1f2328', faint: '#59636e', grid: '#d1d9e0' } as const
const calm = '#f6f8fa'
const tint = { health: calm, recovery: calm, load: calm, outage: '#ffe2e0', 'brown-out': '#fff3c4' } as const
const stateColors: Readonly<Record<string, string>> = { closed: '#b7e0d2', 'half-open': '#f0c36d', open: '#e08a5b' }

/** Draws a plot as an SVG picture that needs nothing else. */
export function plot({ title, label, spans, panels }: Plot): string {
  const tops: number[] = []
  let bottom: number = size.top
  for (const panel of panels) {
    tops.push(bottom)
    bottom += heightOf(panel) + size.gap
  }
  bottom -= size.gap
  const height = bottom + size.bottom
  const x = (at: number): number => round(size.left + at / totalOf(spans) * inner)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" width="${size.width}" `
    + `height="${height}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img">`,
    `<title>${escape(label)}</title>`,
    `<rect width="${size.width}" height="${height}" rx="8" fill="#ffffff"/>`,
    text(size.left, 28, title, 'font-weight="600" font-size="15"'),
    ...panels.flatMap((panel, index) => {
      const top = tops[index] ?? 0
      const name = text(size.left, top - 10, panel.title, 'font-weight="600"')
      const frame = [...bands(spans, top, heightOf(panel), x, index === 0), name]
      return 'states' in panel
        ? [...frame, ...strip(panel, top, x)]
        : [...frame, ...axes(panel, top, x, legendIsNew(panel, panels[index - 1]))]
    }),
    ...timeAxis(spans, bottom),
    '</svg>\n',
  ].join('\n')
}

const heightOf = (panel: Panel | Strip): number => ('states' in panel ? size.strip : panel.height ?? size.panel)

/** A legend is not said again where the panel above has the same one. */
const legendIsNew = (panel: Panel, above: Panel | Strip | undefined): boolean =>
  above === undefined || 'states' in above || namesOf(above) !== namesOf(panel)

const namesOf = ({ curves }: Panel): string => curves.map(({ name }) => name).join()

/** The phases as tinted bands, those of one kind as one; named above the first panel. */
function bands(spans: readonly Span[], top: number, height: number, x: (at: number) => number, isNamed: boolean): string[] {
  return joined(spans).flatMap(({ name, from, to }) => [
    `<rect x="${x(from)}" y="${top}" width="${round(x(to) - x(from))}" height="${height}" fill="${tint[name]}"/>`,
    ...isNamed && x(to) - x(from) > name.length * 7
      ? [text((x(from) + x(to)) / 2, 54, name, `text-anchor="middle" fill="${ink.faint}" font-size="12"`)] : [],
  ])
}

const joined = (spans: readonly Span[]): Span[] => spans.reduce<Span[]>((all, span) => {
  const last = all.at(-1)
  return last?.name === span.name ? [...all.slice(0, -1), { ...last, to: span.to }] : [...all, span]
}, [])

function axes(panel: Panel, top: number, x: (at: number) => number, hasLegend: boolean): string[] {
  const height = heightOf(panel)
  const ticks = ticksTo(Math.max(panel.most, ...panel.curves.map(({ values }) => most(values))))
  const highest = ticks.at(-1) ?? 1
  const y = (value: number): number => round(top + height * (1 - Math.min(1, Math.max(0, value / highest))))
  return [
    ...ticks.flatMap(value => [
      `<path d="M${size.left} ${y(value)}h${inner}" stroke="${ink.grid}"/>`,
      text(size.left - 8, y(value) + 4, panel.write(value), `text-anchor="end" fill="${ink.faint}" font-size="12"`),
    ]),
    ...panel.curves.flatMap(curve => drawn(curve, panel.step, x, y)),
    ...hasLegend ? legend(panel.curves, top) : [],
  ]
}

const most = (values: readonly number[]): number => values.reduce((max, value) => Math.max(max, value), 0)

/** From 0 in two to four round steps to the first that is not below `highest`. */
function ticksTo(highest: number): number[] {
  const scale = 10 ** Math.floor(Math.log10(highest || 1))
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5].map(factor => factor * scale).find(size => highest / size <= 4) ?? 5 * scale
  return Array.from({ length: Math.max(1, Math.ceil(highest / step - 1e-9)) + 1 }, (_, index) => index * step)
}

/** A path that holds each value for its step; one that stays is not said again. */
function drawn({ values, color, look }: Curve, step: number, x: (at: number) => number, y: (value: number) => number): string[] {
  if (values.length === 0) return []
  let path = `M${size.left} ${y(values[0] ?? 0)}`
  values.forEach((value, index) => {
    const next = values[index + 1]
    if (next === undefined || y(next) !== y(value)) path += `H${x((index + 1) * step)}${next === undefined ? '' : `V${y(next)}`}`
  })
  const ink = colors[color]
  const line = (width: number, more = ''): string =>
    `<path d="${path}" fill="none" stroke="${ink}" stroke-width="${width}" stroke-linejoin="round"${more}/>`
  if (look === 'area') return [`<path d="${path}V${y(0)}H${size.left}Z" fill="${ink}" fill-opacity="0.22"/>`, line(2)]
  return [line(1.5, look === 'dashed' ? ' stroke-dasharray="5 3"' : '')]
}

/** At the right above a panel, in the order of the curves. */
function legend(curves: readonly Curve[], top: number): string[] {
  let right = size.width - size.right
  return curves.toReversed().flatMap(({ name, color, look }) => {
    const left = right - name.length * 7
    right = left - 46
    const at = left - 26
    const mark = look === 'area'
      ? `<path d="M${round(at + 4)} ${top - 20}h12v12h-12z" stroke="${colors[color]}" fill="${colors[color]}" fill-opacity="0.35"/>`
      : `<path d="M${round(at)} ${top - 14}h20" stroke="${colors[color]}" stroke-width="2"${look === 'dashed' ? ' stroke-dasharray="5 3"' : ''}/>`
    return [mark, text(left, top - 10, name)]
  })
}

function strip({ states, step }: Strip, top: number, x: (at: number) => number): string[] {
  const runs: { state: string; from: number; to: number }[] = []
  states.forEach((state, index) => {
    const last = runs.at(-1)
    if (last?.state === state) last.to = index + 1
    else runs.push({ state, from: index, to: index + 1 })
  })
  return runs.flatMap(({ state, from, to }) => {
    const [left, right] = [x(from * step), x(to * step)]
    const middle = (left + right) / 2
    return [
      `<rect x="${left}" y="${top}" width="${round(right - left)}" height="${size.strip}" fill="${stateColors[state] ?? ink.grid}"/>`,
      ...right - left > state.length * 7 + 8 ? [text(middle, top + 13, state, 'text-anchor="middle" font-size="12"')] : [],
    ]
  })
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
