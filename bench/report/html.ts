import { written } from './format.ts'
import { facts } from './machine.ts'
import type { Judged, Report, Section, Table } from './report.ts'
import { bars, escaped } from './svg.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0; --own: #0969da; --peer: #afb8c1;
  --paper: #fff; --bad: #cf222e; --well: #1a7f37; --note: #fff8c5 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --own: #58a6ff;
  --peer: #545d68; --paper: #0d1117; --bad: #ff7b72; --well: #56d364; --note: #3b2e00 } }
body { font: 15px/1.5 system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 940px; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }
h1 { font-size: 1.7rem } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) } h3 { margin: 2rem 0 0 }
p.about, figcaption, dt { color: var(--faint) }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, .left { text-align: left; white-space: normal; min-width: 9rem }
tr.own td { color: var(--own); font-weight: 600 }
.short { color: var(--bad); font-weight: 600 } .reached { color: var(--well); font-weight: 600 }
.wide { overflow-x: auto } .wide:focus-visible { outline: 2px solid var(--own) } .wide > svg { min-width: 640px }
figure { margin: 1rem 0 } svg { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: var(--ink) }
rect.own { fill: var(--own) } rect.peer { fill: var(--peer) }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem } dd { margin: 0 }
.warning { background: var(--note); padding: .6rem 1rem; border-radius: 6px }`

/** What a phone's screen is too narrow for scrolls by itself, and by the keyboard too. */
const wide = (label: string, content: string): string =>
  `<div class="wide" tabindex="0" role="region" aria-label="${escaped(label)}">${content}</div>`

/** The whole report as one page that needs nothing else. */
export function toHtml({ machine, sections, judged }: Report): string {
  const about = facts(machine).map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('')
  const warning = machine.short
    ? '<p class="warning">A short run: it shows that all of it runs, its figures mean nothing.</p>' : ''
  return [
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>breakwater: benchmarks</title>\n<style>${STYLE}\n</style>`,
    `<h1>breakwater: benchmarks</h1>\n${warning}<dl>${about}</dl>`,
    verdict(judged.filter(({ outcome }) => outcome !== 'not measured')),
    ...sections.map(section),
    '</html>\n',
  ].join('\n')
}

const cell = (text: string, name = ''): string => `<td${name && ` class="${name}"`}>${escaped(text)}</td>`

function verdict(judged: readonly Judged[]): string {
  if (judged.length === 0) return ''
  const rows = judged.map(({ what, bound, value, unit, outcome, peers }) =>
    `<tr>${cell(what)}${cell(bound)}${cell(written(value, unit), outcome)}${cell(peers, 'left')}</tr>`)
  const short = judged.filter(({ outcome }) => outcome === 'short')
  const summary = short.length === 0
    ? `All ${judged.length} were reached.`
    : `${short.length} of ${judged.length} fall short: ${short.map(({ what }) => what).join('; ')}.`
  return `<h2>Figures to reach</h2>\n<p>${escaped(summary)}</p>\n`
    + wide('Figures to reach', '<table><tr><th></th><th>to reach</th><th>measured</th><th class="left">peers when it was set</th>'
      + `</tr>\n${rows.join('\n')}</table>`)
}

const section = ({ title, tables, pictures = [] }: Section): string => [
  `<h2>${escaped(title)}</h2>`,
  ...tables.map(table),
  ...pictures.map(picture => `<h3>${escaped(picture.title)}</h3>\n<figure>${wide(picture.title, picture.svg)}</figure>`),
].join('\n')

function table(results: Table): string {
  const { title, about, columns, rows } = results
  const head = `<tr><th></th>${columns.map(column => `<th>${escaped(column.title)}</th>`).join('')}</tr>`
  const lines = rows.map(({ name, own, values }) =>
    `<tr${own === true ? ' class="own"' : ''}>${cell(name)}${columns.map(({ key, unit }) => cell(written(values[key], unit))).join('')}</tr>`)
  return `<h3>${escaped(title)}</h3>\n<p class="about">${escaped(about)}</p>\n${bars(results)}\n`
    + wide(title, `<table>${head}\n${lines.join('\n')}</table>`)
}
