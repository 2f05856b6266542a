import { deepEqual } from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { FLEET_COLUMNS } from '../../bench/fleet/figures.ts'
import { written } from '../../bench/report/format.ts'
import type { Column, Report, Row } from '../../bench/report/report.ts'
import { approved, between, markdown, read, ROOT } from './approved.ts'

/*
 * docs/overload.md tells of a run that is kept beside it: its tables are made of that, and its pictures are all shown.
 */

const PAGE = 'docs/overload.md'
const { machine, sections } = JSON.parse(read('docs/bench/scenarios.json')) as Pick<Report, 'machine' | 'sections'>
const tables = sections.flatMap(({ tables }) => tables)

/** In JSON, what never happened is null. */
const cell = ({ values }: Row, { key, unit }: Column): string =>
  written(values[key] as number | null | undefined === null ? Infinity : values[key], unit)

/** Each scenario through the library and through what it is built on. */
function scenarios(): string {
  const shown = tables.filter(({ id }) => id.startsWith('scenarios.'))
  const columns = shown[0]!.columns.filter(({ key }) => key !== 'p99')
  const lines = shown.flatMap(({ id, rows }) => rows.slice(0, 2).map((row, index) => [
    index === 0 ? id.replace('scenarios.', '') : '', index === 0 ? `**${row.name}**` : row.name, ...columns.map(column => cell(row, column)),
  ]))
  const { date, processor, cores, node } = machine
  return `${markdown(['', '', ...columns.map(({ title }) => title)], lines)}

*Measured on ${date.slice(0, 10)}: ${processor}, ${cores} shared cores, Node ${node}.*`
}

function fleet(): string {
  const keys = ['goodput', 'after', 'back', 'reached', 'peak', 'peakAfter', 'together', 'opened', 'dip', 'fair', 'worst']
  const columns = FLEET_COLUMNS.filter(({ key }) => keys.includes(key))
  const { rows } = tables.find(({ id }) => id === 'fleet')!
  const picture = (name: string): string => `pictures/fleet-${name.replaceAll(/[^a-z0-9]+/g, '-')}.svg`
  return markdown(['', ...columns.map(({ title }) => title)],
    rows.map(row => [`[${row.name}](${picture(row.name)})`, ...columns.map(column => cell(row, column))]))
}

test('the tables of docs/overload.md say what was measured', () => {
  approved(PAGE, between(between(read(PAGE), 'scenarios', scenarios()), 'fleet', fleet()))
})

test('every picture is shown', () => {
  const shown = [...read(PAGE).matchAll(/\(pictures\/([^)]+)\)/g)].map(([, name = '']) => name)
  deepEqual(readdirSync(path.join(ROOT, 'docs/pictures')).toSorted(), [...new Set(shown)].toSorted())
})
