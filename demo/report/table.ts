import Table from 'cli-table3'
import type { Colors } from '../view/colors.ts'
import { recovered } from './recovery.ts'
import type { ClientSummary, PhaseSummary } from './summary.ts'
import { count, duration, percent } from './words.ts'

interface Column {
  readonly head: string
  /** Left out where there is little room. */
  readonly extra?: true
  readonly cell: (phase: PhaseSummary, previous: PhaseSummary | undefined, colors: Colors) => string
}

const nothing = '–'
const orNothing = (value: number | undefined, say: (value: number) => string): string =>
  value === undefined ? nothing : say(value)

const columns: readonly Column[] = [
  { head: 'goodput', cell: ({ goodput }, _, colors) => graded(goodput, colors)(percent(goodput)) },
  { head: 'fails in\nmedian', cell: phase => orNothing(phase.medianTimeToFail, duration) },
  { head: '\np99', extra: true, cell: phase => orNothing(phase.p99TimeToFail, duration) },
  {
    head: 'reach the\nupstream',
    cell: ({ reached, reachedShare = 0 }) => orNothing(reached, value => `${count(value)} (${percent(reachedShare)})`),
  },
  { head: 'longest\nqueue', extra: true, cell: phase => orNothing(phase.longestQueue, count) },
  { head: 'back to\n95 %', cell: (_, previous, colors) => back(previous, colors) },
]

/** The width below which columns are left out. */
const roomy = 98

/** The summary as a table for so many columns of text: for every phase a line for each client. */
export function table(clients: readonly ClientSummary[], width: number, colors: Colors): string {
  const shown = columns.filter(column => !column.extra || width >= roomy)
  const rows = new Table({
    head: ['phase', 'client', ...shown.map(column => column.head)].map(text => colors.bold(text)),
    colAligns: ['left', 'left', ...shown.map(() => 'right' as const)],
    style: { head: [], border: colors.isColorSupported ? ['gray'] : [] },
  })
  clients[0]?.phases.forEach(({ phase, seconds }, index) => {
    const cells = shown.map(({ cell }) => clients
      .map(({ phases }) => cell(phases[index]!, phases[index - 1], colors)).join('\n'))
    rows.push([`${phase}\n${colors.dim(`${seconds} s`)}`, clients.map(client => client.name).join('\n'), ...cells])
  })
  return rows.toString()
}

/** The colour of a goodput. */
export function graded(goodput: number, colors: Colors): (text: string) => string {
  return goodput >= recovered ? colors.green : goodput >= 0.5 ? colors.yellow : colors.red
}

/** How a client came back is told in the row of the recovery. */
function back(previous: PhaseSummary | undefined, colors: Colors): string {
  const recovery = previous?.recovery
  if (!recovery) return ''
  if (recovery.time === undefined) return colors.red(`not in ${duration(recovery.watched)}`)
  return colors.green(recovery.time === 0 ? 'at once' : duration(recovery.time))
}
