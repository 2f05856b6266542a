import { columnWidth, totalOf } from '../../demo/phases.ts'
import { goodputPanel } from '../../demo/report/chart.ts'
import { type Panel, plot } from '../../demo/report/plot.ts'
import { windowLength } from '../../demo/report/recovery.ts'
import { count } from '../../demo/report/words.ts'
import type { Progress } from '../report/progress.ts'
import type { Picture, Row, Section } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { worstOf } from '../stats.ts'
import { figuresOfRun, FLEET_COLUMNS } from './figures.ts'
import { PLANS } from './plan.ts'
import { type Outcome, simulate } from './simulate.ts'

/** Far past this machine, in virtual time: what many clients do to an upstream together, and one to many. */
export async function fleet({ short, rounds }: Settings, progress: Progress): Promise<Section> {
  const seeds = Array.from({ length: rounds ?? (short ? 1 : 5) }, (_, index) => index + 1)
  progress.begin('fleet', PLANS.length * seeds.length)
  const rows: Row[] = []
  const pictures: Picture[] = []
  for (const plan of PLANS) {
    const runs: Outcome[] = []
    for (const seed of seeds) {
      progress.step(`${plan.name}, seed ${seed}`)
      runs.push(await simulate(plan, seed))
    }
    rows.push({ name: plan.name, own: true, values: worstOf(FLEET_COLUMNS, runs.map(figuresOfRun)) })
    pictures.push({ name: `fleet ${plan.name}`, title: `${plan.name}: ${plan.about}`, svg: drawn(runs[0]!) })
  }
  progress.end()
  return {
    part: 'fleet',
    title: 'Fleet: 200 clients before one upstream, and one before 2,000',
    tables: [{
      id: 'fleet',
      title: 'Fleets in virtual time',
      about: 'The library as it is; time, chance and the network are simulated, so the figures are the same everywhere. '
        + `200 clients, or one, share 700 calls/s (overload and throttled: 1,500) to an upstream that can take 1,000; of each figure the worst of ${seeds.length === 1 ? 'one run' : `${seeds.length} runs`}.`,
      columns: FLEET_COLUMNS,
      rows,
    }],
    pictures,
  }
}

function drawn({ plan, track, fleet: series }: Outcome): string {
  const { stretches, rate, clients, deadline } = plan
  const step = windowLength / columnWidth
  const columns = Array.from({ length: Math.floor(totalOf(stretches) / windowLength) }, (_, index) => index * step)
  const panel = (title: string, name: string, color: 'orange' | 'purple', values: number[], most: number): Panel =>
    ({ title, step: windowLength, most, write: count, height: 80, curves: [{ name, color, look: 'area', values }] })
  return plot({
    title: `${plan.name}: ${plan.about}`,
    label: `A fleet over time, ${plan.name}: ${plan.about}`,
    spans: stretches,
    panels: [
      goodputPanel(track, stretches, rate, `${count(rate)} calls/s of ${clients === 1 ? 'one client' : `${clients} clients`}, deadline ${deadline} ms`),
      panel('circuits', 'not closed', 'orange', columns.map(from => series.max('notClosed', from, from + step)), 20),
      panel('the longest queue at an upstream', 'requests', 'purple',
        columns.map(from => track.upstream!.max('queued', from, from + step)), 20),
    ],
  })
}
