import { Child, withChildren } from '../process/parent.ts'
import type { Progress } from '../report/progress.ts'
import type { Column, Row, Section, Table } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { median, rotated, spread } from '../stats.ts'
import { SINGLE, STACK, type Case } from './cases.ts'
import type { Stint } from './worker.ts'

const WORKER = new URL('worker.ts', import.meta.url)
/** No garbage is collected while the bytes of a few thousand calls are counted. */
const ROOMY = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']
const IN_FLIGHT = 50

const COLUMNS: readonly Column[] = [
  { key: 'ns', title: 'CPU per call', unit: 'ns' },
  { key: 'own', title: 'of which its own', unit: 'ns' },
  { key: 'spread', title: '± of rounds', unit: 'share' },
  { key: 'bytes', title: 'heap per call', unit: 'bytes' },
  { key: 'ownBytes', title: 'of which its own', unit: 'bytes' },
]

/** What our own code costs, without a network. */
export async function layers(settings: Settings, progress: Progress): Promise<Section> {
  const rounds = settings.rounds ?? (settings.short ? 1 : 9)
  const stint = { ms: settings.short ? 30 : 300, inFlight: IN_FLIGHT }
  const cases = { ...STACK, ...SINGLE }
  const names = Object.keys(cases)
  progress.begin('layers', names.length * (rounds + 2))
  const times = await timed(names, stint, rounds, progress)
  const bytes = await weighed(names, stint, progress)
  progress.end()

  const rowsOf = (group: Readonly<Record<string, Case>>): Row[] => Object.entries(group).map(([name, { above }]) => {
    const ns = median(times[name] ?? [])
    return {
      name,
      own: !/opossum|cockatiel|alone|no layer/.test(name),
      values: {
        ns, bytes: bytes[name],
        own: above === undefined ? undefined : ns - median(times[above] ?? []),
        ownBytes: above === undefined ? undefined : (bytes[name] ?? NaN) - (bytes[above] ?? NaN),
        spread: rounds > 1 ? spread(times[name] ?? []) : undefined,
      },
    }
  })
  const about = `${IN_FLIGHT} in flight, a process of its own per case, medians of ${rounds} interleaved rounds; CPU of the `
    + 'whole process, bytes without the transport’s, which allocates none.'
  const tables: Table[] = [
    {
      id: 'layers.stack', title: 'The whole stack over a no-op transport', chart: 'ns',
      about, columns: COLUMNS, rows: rowsOf(STACK),
    },
    { id: 'layers.single', title: 'Each layer alone over a no-op', chart: 'own', about, columns: COLUMNS, rows: rowsOf(SINGLE) },
  ]
  return { part: 'layers', title: 'Layers: what protection costs without a network', tables }
}

/** ns per call, round by round. */
async function timed(
  names: readonly string[], stint: Stint, rounds: number, progress: Progress,
): Promise<Record<string, number[]>> {
  const children = new Map<string, Child>()
  const times: Record<string, number[]> = Object.fromEntries(names.map(name => [name, []]))
  await withChildren(children, async () => {
    for (const name of names) {
      progress.step(`warming ${name}`)
      const child = new Child(WORKER)
      children.set(name, child)
      await child.ask('open', name)
      await child.ask('time', { ...stint, ms: stint.ms * 4 })
    }
    for (let round = 0; round < rounds; round++) {
      for (const [name, child] of rotated([...children], round)) {
        progress.step(`${name}, round ${round + 1} of ${rounds}`)
        times[name]?.push(await child.ask<number>('time', stint))
      }
    }
  })
  return times
}

/** Bytes per call: the same every time, so once is enough. */
async function weighed(names: readonly string[], stint: Stint, progress: Progress): Promise<Record<string, number>> {
  const bytes: Record<string, number> = {}
  for (const name of names) {
    progress.step(`weighing ${name}`)
    const child = new Child(WORKER, ROOMY)
    await withChildren(new Map([[name, child]]), async () => {
      await child.ask('open', name)
      bytes[name] = await child.ask<number>('bytes', stint)
    })
  }
  return bytes
}
