import type { Span } from '../../demo/phases.ts'
import { chart } from '../../demo/report/chart.ts'
import { insideChart } from '../../demo/report/inside.ts'
import { summarize, type ClientSummary, type PhaseSummary } from '../../demo/report/summary.ts'
import type { Track } from '../../demo/run.ts'
import type { Progress } from '../report/progress.ts'
import type { Picture, Row, Section, Table } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { worstOf, type Figures, type Ranked } from '../stats.ts'
import { CLIENTS, OWN } from './clients.ts'
import { DEADLINE, SCENARIOS, spansOf, type Scenario } from './plans.ts'
import { experimentOf, run } from './run.ts'

const COLUMNS: readonly Ranked[] = [
  { key: 'goodput', title: 'goodput', unit: 'share', worst: 'least' },
  { key: 'after', title: 'goodput after', unit: 'share', worst: 'least' },
  { key: 'back', title: 'back to 95 %', unit: 'ms', worst: 'most' },
  { key: 'reached', title: 'reached / offered', unit: 'ratio', worst: 'most' },
  { key: 'queue', title: 'longest queue', unit: 'count', worst: 'most' },
  { key: 'median', title: 'fails in, median', unit: 'ms', worst: 'most' },
  { key: 'p99', title: 'p99', unit: 'ms', worst: 'most' },
]

/** What becomes of the calls when an upstream is sick: the client under test beside peers. */
export async function scenarios(settings: Settings, progress: Progress): Promise<Section> {
  const { short, own, rounds = 1 } = settings
  const chosen = SCENARIOS.filter(({ brief }) => !short || brief !== undefined)
  const names = own ? [OWN] : Object.keys(CLIENTS)
  // One after the other is fair, all at once is quick.
  const groups = short ? [names] : names.map(name => [name])
  progress.begin('scenarios', chosen.length * groups.length * rounds)
  const tables: Table[] = []
  const pictures: Picture[] = []
  for (const scenario of chosen) {
    const spans = spansOf(scenario, short)
    const runs: Track[][] = []
    for (let round = 1; round <= rounds; round++) {
      const tracks: Track[] = []
      for (const group of groups) {
        progress.step(`${scenario.name}: ${group.join(', ')}${rounds === 1 ? '' : `, round ${round} of ${rounds}`}`)
        tracks.push(...await run(scenario, spans, group))
      }
      runs.push(tracks)
    }
    const [tracks] = runs as [Track[]]
    tables.push(tableOf(scenario, spans, runs))
    const experiment = experimentOf(scenario, spans)
    const title = `${scenario.name}: ${scenario.about}`
    pictures.push(
      { name: `${scenario.name} clients`, title, svg: chart({ experiment, tracks, elapsed: () => 0 }) },
      { name: scenario.name, title: `${title}, inside ${OWN}`, svg: insideChart(title, experiment, tracks.find(({ name }) => name === OWN)!) },
    )
  }
  progress.end()
  return { part: 'scenarios', title: 'Scenarios: what becomes of the calls when an upstream is sick', tables, pictures }
}

function tableOf(scenario: Scenario, spans: readonly Span[], runs: readonly (readonly Track[])[]): Table {
  const { name, about, rate, flaky } = scenario
  const upstream = flaky === true ? 'against room for all' : 'against 1,000/s (20 workers × 20 ms, a queue without bound)'
  const told = runs.length === 1 ? '' : ` Of each figure the worst of ${runs.length} runs.`
  return {
    id: `scenarios.${name}`,
    title: `${name}: ${about}`,
    about: `${rate} calls/s on an open loop ${upstream}, a deadline of ${DEADLINE} ms, all else as it comes.${told}`,
    columns: COLUMNS,
    rows: (runs[0] ?? []).map(({ name }, index): Row => ({
      name, own: name === OWN, values: worstOf(COLUMNS, runs.map(tracks => figuresOf(summarize(tracks[index]!, spans)))),
    })),
    chart: 'goodput',
  }
}

/** The bad phase, and the recovery after it. */
function figuresOf({ phases }: ClientSummary): Figures {
  const bad = Math.max(0, phases.findIndex(({ phase }) => phase === 'outage' || phase === 'brown-out'))
  const { goodput, reachedShare, longestQueue, medianTimeToFail, p99TimeToFail, recovery } = phases[bad] as PhaseSummary
  return {
    goodput, after: phases[bad + 1]?.goodput, back: recovery === undefined ? undefined : recovery.time ?? Infinity,
    reached: reachedShare, queue: longestQueue, median: medianTimeToFail, p99: p99TimeToFail,
  }
}
