import Table from 'cli-table3'
import pc from 'picocolors'
import { written } from './format.ts'
import { facts } from './machine.ts'
import type { Judged, Report, Row, Table as Results } from './report.ts'

type Colors = ReturnType<typeof pc.createColors>
type Cells = readonly string[]

/** The whole report for a terminal. */
export function toTerminal({ machine, sections, judged }: Report, isColored: boolean): string {
  const colors = pc.createColors(isColored)
  const parts = sections.flatMap(({ title, tables }) => [`\n${colors.bold(title)}`, ...tables.map(each => tableOf(each, colors))])
  return [...parts, verdict(judged, colors), about(machine, colors)].join('\n')
}

function tableOf({ title, about, columns, rows }: Results, colors: Colors): string {
  const line = ({ name, own, values }: Row): string[] => {
    const paint = own === true ? colors.cyan : (text: string): string => text
    return [paint(name), ...columns.map(({ key, unit }) => paint(written(values[key], unit)))]
  }
  const drawn = draw(['', ...columns.map(column => column.title)], rows.map(line), colors)
  return `\n${title}\n${colors.dim(about)}\n${drawn}`
}

function draw(head: Cells, lines: readonly Cells[], colors: Colors, lefts = 1): string {
  const table = new Table({
    head: head.map(text => colors.bold(text)),
    colAligns: head.map((_, index) => (index < lefts ? 'left' : 'right')),
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  for (const line of lines) table.push([...line])
  return table.toString()
}

function verdict(judged: readonly Judged[], colors: Colors): string {
  const measured = judged.filter(({ outcome }) => outcome !== 'not measured')
  if (measured.length === 0) return ''
  const lines = measured.map(({ what, bound, value, unit, outcome, peers }) => [
    what, bound, (outcome === 'short' ? colors.red : colors.green)(written(value, unit)), colors.dim(peers),
  ])
  const short = measured.filter(({ outcome }) => outcome === 'short')
  const summary = short.length === 0
    ? colors.green(`All ${measured.length} figures were reached.`)
    : colors.red(`${short.length} of ${measured.length} figures fall short:`)
      + short.map(({ what, value, unit, bound }) => `\n  ${what}: ${written(value, unit)}, to reach: ${bound}`).join('')
  return `\n${colors.bold('Figures to reach')}\n${draw(['', 'to reach', 'measured', 'peers'], lines, colors)}\n${summary}`
}

function about(machine: Report['machine'], colors: Colors): string {
  const lines = facts(machine).map(([name, value]) => `${colors.dim(name.padEnd(10))}${value}`)
  return `\n${lines.join('\n')}${machine.short ? colors.yellow('\nA short run: it shows that all of it runs, its figures mean nothing.') : ''}`
}
