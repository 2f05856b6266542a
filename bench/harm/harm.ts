import type { Span } from '../../demo/phases.ts'
import { chart } from '../../demo/report/chart.ts'
import { summarize } from '../../demo/report/summary.ts'
import type { Progress } from '../report/progress.ts'
import type { Picture, Row, Section, Table } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { median, percentile, worstOf, type Figures, type Ranked } from '../stats.ts'
import { isOwn, PATIENCE, SCENARIOS, spansOf, type Lane, type Scenario } from './plans.ts'
import { hasNetworks } from './network.ts'
import { isInstalled } from './programs.ts'
import { canRun, run, type Seen } from './run.ts'

const ANSWERED: readonly Ranked[] = [
  { key: 'answered', title: 'answered', unit: 'share', worst: 'least' },
  { key: 'median', title: 'in, median', unit: 'ms', worst: 'most' },
  { key: 'p99', title: 'p99', unit: 'ms', worst: 'most' },
]
const REACHED: Ranked = { key: 'reached', title: 'reached / offered', unit: 'ratio', worst: 'most' }

/** What is told of the scenarios of each group. */
export const COLUMNS: Readonly<Record<Scenario['group'], readonly Ranked[]>> = {
  gateway: [
    ...ANSWERED,
    { key: 'refused', title: 'answered 503', unit: 'share', worst: 'most' },
    { key: 'before', title: 'answered before', unit: 'share', worst: 'least' },
    { key: 'served', title: 'slow ones served', unit: 'share', worst: 'least' },
    { key: 'memory', title: 'memory', unit: 'bytes', worst: 'most' },
  ],
  mixed: [...ANSWERED, REACHED],
  route: [...ANSWERED, REACHED],
}

/** Below this many calls a second a picture of shares is mostly holes. */
const ENOUGH_TO_DRAW = 60

/** What protection itself does to callers and routes that are well: beside slow callers, and beside a route that is ill. */
export async function harm({ short, own, rounds = 1 }: Settings, progress: Progress): Promise<Section> {
  const chosen = SCENARIOS.filter(scenario => canRun(scenario) && (!short || scenario.brief !== undefined))
    .map(scenario => ({ scenario, groups: groupsOf(scenario, short, own) }))
  progress.begin('harm', chosen.reduce((sum, { groups }) => sum + groups.length, 0) * rounds)
  const tables: Table[] = []
  const pictures: Picture[] = []
  for (const { scenario, groups } of chosen) {
    const spans = spansOf(scenario, short)
    const runs: Seen[][] = []
    for (let round = 1; round <= rounds; round++) {
      const seen: Seen[] = []
      for (const group of groups) {
        const names = group.map(({ name }) => name).join(', ')
        progress.step(`${scenario.name}: ${names}${rounds === 1 ? '' : `, round ${round} of ${rounds}`}`)
        seen.push(...await run(scenario, spans, group))
      }
      runs.push(seen)
    }
    tables.push(tableOf(scenario, spans, groups.flat(), runs))
    if (scenario.rate >= ENOUGH_TO_DRAW) pictures.push(pictureOf(scenario, spans, runs[0]!))
  }
  progress.end()
  return { part: 'harm', title: 'Harm: what protection does to callers and routes that are well', tables, pictures }
}

/** A crowd takes a processor, so beside one the lanes take turns. */
function groupsOf({ crowd, lanes }: Scenario, short: boolean, own: boolean): Lane[][] {
  const chosen = own ? lanes.filter(isOwn) : [...lanes]
  return crowd === undefined || short ? [chosen] : chosen.map(lane => [lane])
}

function tableOf(scenario: Scenario, spans: readonly Span[], lanes: readonly Lane[], runs: readonly Seen[][]): Table {
  const { name, about, group, rate } = scenario
  const columns = COLUMNS[group]
  const told = runs.length === 1 ? '' : ` Of each figure the worst of ${runs.length} runs.`
  return {
    id: `harm.${name}`,
    title: `${name}: ${about}`,
    about: `${rate} calls/s on an open loop, callers wait ${PATIENCE / 1_000} s, all else as it comes.${remarks(scenario)}${told}`,
    columns,
    rows: lanes.map((lane, index): Row => ({
      name: lane.name, own: isOwn(lane), values: worstOf(columns, runs.map(seen => figuresOf(seen[index]!, spans))),
    })),
    chart: 'answered',
  }
}

/** What a reader has to know of a scenario beyond its name. */
const remarks = ({ crowd, ill, lanes }: Scenario): string => [
  ...crowd === undefined ? [] : [' Figures are of the others.'],
  ...ill === undefined ? [] : [' All but the last figure are of the good route.'],
  ...crowd !== undefined && hasNetworks() ? [' Sockets take 64 kB, as on a link.'] : [],
  ...lanes.some(({ front }) => front === 'varnish') && !isInstalled('varnish')
    ? [' Varnish is not installed: its answer is played.'] : [],
].join('')

/** Of the last phase, and of the one before it. */
function figuresOf({ track, took, refused, offered, crowd, reached, memory }: Seen, spans: readonly Span[]): Figures {
  const { phases } = summarize(track, spans)
  const [last, before] = [phases.at(-1)!, phases.at(-2)]
  const has = took.length > 0
  return {
    answered: last.goodput, before: before?.goodput, refused: refused / last.offered,
    median: has ? median(took) : undefined, p99: has ? percentile(took, 0.99) : undefined,
    served: crowd && crowd.served / crowd.count, memory,
    reached: Object.values(reached).reduce((sum, count) => sum + count, 0) / offered,
  }
}

function pictureOf({ name, about, rate }: Scenario, spans: readonly Span[], seen: readonly Seen[]): Picture {
  const tracks = seen.map(({ track }) => track)
  const experiment = { spans, rate, deadline: PATIENCE, outage: '502', workers: 0, serviceTime: 0 } as const
  return { name: `harm ${name}`, title: `${name}: ${about}`, svg: chart({ experiment, tracks, elapsed: () => 0 }) }
}
