import { columnWidth } from '../phases.ts'
import type { Run } from '../run.ts'
import type { ClientSummary } from './summary.ts'

/** All that was measured, for `--json`. Times are milliseconds, shares 0–1; series have a value per column. */
export function record(seen: Run, clients: readonly ClientSummary[]): object {
  return {
    node: process.version,
    experiment: seen.experiment,
    columnWidth,
    clients: clients.map((client, index) => {
      const { calls, upstream, circuits } = seen.tracks[index]!
      const known = { ...calls.part(0).columns, ...upstream?.part(0).columns }
      return { ...client, circuits, series: known }
    }),
  }
}
