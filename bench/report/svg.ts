import { written } from './format.ts'
import type { Table } from './report.ts'

const WIDTH = 880
const LEFT = 210
const RIGHT = 90
const LINE = 26

/** What must not be read as markup. */
export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** One column of a table as bars, ours in a colour of its own; nothing when there is nothing to draw. */
export function bars({ title, columns, rows, chart }: Table): string {
  const column = columns.find(({ key }) => key === chart)
  const most = Math.max(...rows.map(row => finite(row.values[chart ?? ''])))
  if (column === undefined || !(most > 0)) return ''
  const height = rows.length * LINE + 4
  const lines = rows.map(({ name, own, values }, index) => {
    const value = values[column.key]
    const length = Math.max(1, finite(value) / most * (WIDTH - LEFT - RIGHT))
    const y = index * LINE
    return `<text x="${LEFT - 10}" y="${y + 18}" text-anchor="end">${escaped(name)}</text>`
      + `<rect class="${own === true ? 'own' : 'peer'}" x="${LEFT}" y="${y + 4}" width="${length.toFixed(1)}" height="18" rx="2"/>`
      + `<text x="${(LEFT + length + 8).toFixed(1)}" y="${y + 18}">${escaped(written(value, column.unit))}</text>`
  })
  return `<figure><figcaption>${escaped(column.title)}</figcaption>`
    + `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" `
    + `aria-label="${escaped(`${title}: ${column.title}`)}">${lines.join('')}</svg></figure>`
}

const finite = (value: number | undefined): number => (value !== undefined && Number.isFinite(value) ? Math.max(0, value) : 0)
