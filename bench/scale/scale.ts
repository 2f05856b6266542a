import { BASELINE } from '../contenders/index.ts'
import type { Counts } from '../counts.ts'
import { interleaved, ratioOf, withContenders } from '../overhead/overhead.ts'
import { Child, withChildren } from '../process/parent.ts'
import type { Progress } from '../report/progress.ts'
import type { Row, Section, Table } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { median, rotated } from '../stats.ts'
import type { Idle, Setting } from './worker.ts'

const WORKER = new URL('worker.ts', import.meta.url)
const UPSTREAMS = [1, 100, 10_000]
const IN_FLIGHT = [1, 10, 100, 1_000]
const WIRED = [1, 50, 1_000]
const RATES = [10, 1_000, 50_000]

interface Course {
  readonly rounds: number
  readonly ms: number
  readonly progress: Progress
}

/** How costs grow with the number of upstreams, of calls in flight, and of calls a second. */
export async function scale(settings: Settings, progress: Progress): Promise<Section> {
  const { short } = settings
  const course: Course = { rounds: settings.rounds ?? (short ? 1 : 7), ms: short ? 40 : 400, progress }
  const wired = short ? [50] : WIRED
  const clients = UPSTREAMS.length + IN_FLIGHT.length
  progress.begin('scale', clients * (course.rounds + 1) + RATES.length + 2 + wired.length * 2 * (course.rounds + 1))
  const tables = [
    await upstreams(course), await inFlight(course), await onTheWire(wired, course), await windows(course),
    await idle(short ? 2_000 : 10_000, progress), await counts(short ? 500 : 5_000, progress),
  ]
  progress.end()
  return { part: 'scale', title: 'Scale: how costs grow', tables }
}

/** ns per call of each setting, interleaved. */
async function timed(settings: readonly Setting[], { rounds, ms, progress }: Course): Promise<number[]> {
  const children = new Map<Setting, Child>()
  const times = new Map<Setting, number[]>()
  return withChildren(children, async () => {
    for (const setting of settings) {
      progress.step(`warming ${setting.upstreams} upstreams, ${setting.inFlight} in flight`)
      const child = new Child(WORKER)
      children.set(setting, child)
      times.set(setting, [])
      await child.ask('open', setting)
      await child.ask('time', ms * 3)
    }
    for (let round = 0; round < rounds; round++) {
      for (const [setting, child] of rotated([...children], round)) {
        progress.step(`${setting.upstreams} upstreams, ${setting.inFlight} in flight, round ${round + 1} of ${rounds}`)
        times.get(setting)?.push(await child.ask<number>('time', ms))
      }
    }
    return settings.map(setting => median(times.get(setting) ?? []))
  })
}

const grown = (keys: readonly number[], values: readonly number[]): Row[] => keys.map((key, index) => ({
  name: key.toLocaleString('en'), own: true, values: { ns: values[index], ratio: (values[index] ?? NaN) / (values[0] ?? NaN) },
}))

const GROWTH = [
  { key: 'ns', title: 'CPU per call', unit: 'ns' }, { key: 'ratio', title: 'to the first', unit: 'ratio' },
] as const

const upstreams = async (course: Course): Promise<Table> => ({
  id: 'scale.upstreams',
  title: 'Upstreams of one client',
  about: `Called in turn over a no-op transport, 50 in flight; medians of ${course.rounds} interleaved rounds.`,
  columns: GROWTH,
  rows: grown(UPSTREAMS, await timed(UPSTREAMS.map(upstreams => ({ upstreams, inFlight: 50 })), course)),
  chart: 'ns',
})

const inFlight = async (course: Course): Promise<Table> => ({
  id: 'scale.inFlight',
  title: 'Calls in flight to one upstream, no network',
  about: 'A no-op transport that answers all of them once in a turn of the event loop; one alone pays for the whole turn. '
    + `Medians of ${course.rounds} interleaved rounds.`,
  columns: GROWTH,
  rows: grown(IN_FLIGHT, await timed(IN_FLIGHT.map(inFlight => ({ upstreams: 1, inFlight })), course)),
  chart: 'ns',
})

/** Against bare undici over real sockets: a pool looks through its connections, whoever drives it. */
async function onTheWire(steps: readonly number[], { rounds, ms, progress }: Course): Promise<Table> {
  const rows: Row[] = []
  for (const inFlight of steps) {
    await withContenders([BASELINE, 'breakwater'], inFlight, async children => {
      const measured = await interleaved(children, { name: 'get', ms, inFlight }, { rounds, warmUp: ms * 3, progress })
      const [base = [], own = []] = [measured[BASELINE], measured['breakwater']]
      rows.push({
        name: inFlight.toLocaleString('en'),
        own: true,
        values: {
          ratio: ratioOf(own, base, 'cpu'), cpu: median(own.map(({ cpu }) => cpu)), base: median(base.map(({ cpu }) => cpu)),
        },
      })
    })
  }
  return {
    id: 'scale.wired',
    title: 'Calls in flight to one upstream, over sockets',
    about: `GET of a small JSON on keep-alive, a connection for each call in flight; medians of ${rounds} interleaved rounds.`,
    columns: [
      { key: 'ratio', title: 'CPU ratio', unit: 'ratio' },
      { key: 'cpu', title: 'breakwater', unit: 'µs' },
      { key: 'base', title: BASELINE, unit: 'µs' },
    ],
    rows,
    chart: 'ratio',
  }
}

async function windows({ rounds, ms, progress }: Course): Promise<Table> {
  const child = new Child(WORKER)
  const values = await withChildren(new Map([['window', child]]), async () => {
    const medians: number[] = []
    for (const rate of RATES) {
      progress.step(`window at ${rate} calls/s`)
      const times: number[] = []
      for (let round = 0; round < rounds; round++) times.push(await child.ask<number>('windowed', { rate, ms }))
      medians.push(median(times))
    }
    return medians
  })
  return {
    id: 'scale.window',
    title: 'Calls a second into a full 10 s window',
    about: 'Recording one outcome, on a clock that goes as fast as the calls come. A slow rate pays for more rotation per call.',
    columns: GROWTH,
    rows: grown(RATES, values),
    chart: 'ns',
  }
}

async function idle(count: number, progress: Progress): Promise<Table> {
  progress.step('idle upstreams')
  const child = new Child(WORKER, ['--expose-gc'])
  const found = await withChildren(new Map([['idle', child]]), () => child.ask<Idle>('idle', count))
  return {
    id: 'scale.idle',
    title: 'An idle upstream',
    about: `Heap after a full collection, per upstream of ${count.toLocaleString('en')}; timers armed in making them, per upstream.`,
    columns: [{ key: 'bytes', title: 'heap', unit: 'bytes' }, { key: 'timers', title: 'timers', unit: 'count' }],
    rows: [
      { name: 'configured, never called', own: true, values: { bytes: found.configured, timers: found.timers } },
      { name: 'called once, no socket', own: true, values: { bytes: found.called, timers: found.timers } },
    ],
    chart: 'bytes',
  }
}

async function counts(calls: number, progress: Progress): Promise<Table> {
  progress.step('counting')
  const child = new Child(WORKER)
  const found = await withChildren(new Map([['counts', child]]), () => child.ask<Counts>('counts', calls))
  const row = (name: string, value: number): Row => ({ name, own: true, values: { count: value / calls } })
  return {
    id: 'scale.counts',
    title: 'What one call makes',
    about: `Counted over ${calls.toLocaleString('en')} calls with a signal of the caller’s, one after the other, over a no-op transport.`,
    columns: [{ key: 'count', title: 'per call', unit: 'count' }],
    rows: [
      row('timers', found.timers),
      row('AbortControllers and signals', found.controllers + found.signals),
      row('listeners left', found.listenersAdded - found.listenersRemoved),
      row('promises', found.promises),
    ],
  }
}
