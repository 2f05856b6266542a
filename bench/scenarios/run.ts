import { setTimeout as sleep } from 'node:timers/promises'
import { Children } from '../../demo/children.ts'
import { now } from '../../demo/clock.ts'
import { driverKeys, upstreamKeys, type DriverChannel, type Plan, type UpstreamChannel } from '../../demo/messages.ts'
import { modeOf, totalOf, type Span } from '../../demo/phases.ts'
import { type Experiment, note, type Track } from '../../demo/run.ts'
import { Series } from '../../demo/series.ts'
import { DEADLINE, SERVICE_TIME, WORKERS, type Scenario } from './plans.ts'

/** Time between the word and the start, so that every process has heard it. */
const HEAD_START = 200
/** Time for the last calls to meet their deadline. */
const TAIL = 300

/** What a scenario is for the demo's summary and chart. */
export const experimentOf = ({ rate, outage }: Scenario, spans: readonly Span[]): Experiment =>
  ({ spans, rate, outage, deadline: DEADLINE, workers: WORKERS, serviceTime: SERVICE_TIME })

/** Puts clients through a scenario at the same time, each before an upstream of its own. */
export async function run(scenario: Scenario, spans: readonly Span[], names: readonly string[]): Promise<Track[]> {
  const children = new Children()
  try {
    return await Promise.race([perform(scenario, spans, names, children), children.failure])
  } finally {
    await children.end()
  }
}

async function perform(
  scenario: Scenario, spans: readonly Span[], names: readonly string[], children: Children,
): Promise<Track[]> {
  const lanes = await Promise.all(names.map(name => open(name, scenario, children)))
  const plan: Plan = { start: now() + HEAD_START, spans, modes: spans.map(({ name }) => modeOf(name, scenario.outage)) }
  for (const { begin } of lanes) begin(plan)
  await sleep(HEAD_START + totalOf(spans) + DEADLINE + TAIL)
  return Promise.all(lanes.map(({ finish }) => finish()))
}

interface Lane {
  readonly begin: (plan: Plan) => void
  readonly finish: () => Promise<Track>
}

async function open(name: string, { rate, flaky }: Scenario, children: Children): Promise<Lane> {
  const model = children.start<UpstreamChannel>(flaky === true ? new URL('flaky.ts', import.meta.url).href : 'upstream.ts')
  model.send({ type: 'setup', workers: WORKERS, serviceTime: SERVICE_TIME })
  const { url = '' } = await model.when('ready')
  const driver = children.start<DriverChannel>(new URL('driver.ts', import.meta.url).href)
  driver.send({ type: 'setup', client: name, url, rate, deadline: DEADLINE })
  await driver.when('ready')

  const upstream = new Series(upstreamKeys)
  model.on('upstream', ({ part }) => { upstream.merge(part) })
  return {
    begin: plan => {
      model.send({ type: 'begin', plan })
      driver.send({ type: 'begin', plan })
    },
    finish: async () => {
      const reports = [driver.when('driver', ({ final }) => final), model.when('upstream', ({ final }) => final)] as const
      driver.send({ type: 'finish' })
      model.send({ type: 'finish' })
      const [report] = await Promise.all(reports)
      const track: Track = { name, calls: new Series(driverKeys), upstream, failing: [], dropped: [], late: [], circuits: [] }
      note(track, report)
      return track
    },
  }
}
