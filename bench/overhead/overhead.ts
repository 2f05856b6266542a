import { BASELINE, CONTENDERS } from '../contenders/index.ts'
import { Child, withChildren } from '../process/parent.ts'
import type { Progress } from '../report/progress.ts'
import type { Row, Section, Table } from '../report/report.ts'
import type { Settings } from '../settings.ts'
import { median, rotated, spread } from '../stats.ts'
import { CASES, type CaseName } from './cases.ts'
import type { Burst, Measured, Opening } from './worker.ts'

const NAMES = Object.keys(CONTENDERS)
const KINDS = Object.keys(CASES) as CaseName[]

/** The rounds of one contender. */
export type Rounds = Readonly<Record<string, readonly Measured[]>>

/** What a call costs, beside bare undici and beside the peers. */
export async function overhead(settings: Settings, progress: Progress): Promise<Section> {
  const rounds = settings.rounds ?? (settings.short ? 1 : 9)
  const ms = settings.short ? 40 : 500
  const warmUp = settings.short ? 60 : 1_500
  progress.begin('overhead', KINDS.length * NAMES.length * (rounds + 1))
  const tables: Table[] = []
  await withContenders(NAMES, 50, async children => {
    for (const kind of KINDS) {
      const measured = await interleaved(children, { name: kind, ms }, { rounds, warmUp, progress })
      tables.push(tableOf(kind, measured))
    }
  })
  progress.end()
  return { part: 'overhead', title: 'Overhead: what a call costs the process that makes it', tables }
}

/** Starts the server and a process for each contender. */
export async function withContenders(
  names: readonly string[], inFlight: number, use: (children: ReadonlyMap<string, Child>) => Promise<void>,
): Promise<void> {
  const server = new Child(new URL('server.ts', import.meta.url))
  const children = new Map(names.map(name => [name, new Child(new URL('worker.ts', import.meta.url))]))
  await withChildren(new Map([['server', server], ...children]), async () => {
    const origin = await server.ask<string>('listen')
    for (const [contender, child] of children) {
      await child.ask('open', { contender, origin, inFlight } satisfies Opening)
    }
    await use(children)
  })
}

/** How a series of rounds is run. */
export interface Course {
  readonly rounds: number
  /** ms. */
  readonly warmUp: number
  readonly progress: Progress
}

/**
 * Warms every contender, then measures them in turn, round after round: what disturbs the machine for a while disturbs
 * them all. Each round begins with another one.
 */
export async function interleaved(
  children: ReadonlyMap<string, Child>, burst: Burst, { rounds, warmUp, progress }: Course,
): Promise<Rounds> {
  const { title } = CASES[burst.name]
  for (const [name, child] of children) {
    progress.step(`${title}: warming ${name}`)
    await child.ask('measure', { ...burst, ms: warmUp })
  }
  const measured = Object.fromEntries([...children.keys()].map(name => [name, [] as Measured[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, child] of rotated([...children], round)) {
      progress.step(`${title}: ${name}, round ${round + 1} of ${rounds}`)
      measured[name]?.push(await child.ask<Measured>('measure', burst))
    }
  }
  return measured
}

/** The median over rounds of what one round says in relation to the baseline's round beside it. */
export const ratioOf = (own: readonly Measured[], base: readonly Measured[], key: 'cpu' | 'rate'): number =>
  median(own.map((round, index) => round[key] / (base[index]?.[key] ?? NaN)))

function tableOf(kind: CaseName, measured: Rounds): Table {
  const base = measured[BASELINE] ?? []
  const { title, inFlight } = CASES[kind]
  const rows = Object.entries(measured).map(([name, rounds]): Row => ({
    name,
    own: name === 'breakwater',
    values: {
      ratio: ratioOf(rounds, base, 'cpu'),
      cpu: median(rounds.map(({ cpu }) => cpu)),
      spread: rounds.length > 1 ? spread(rounds.map(({ cpu }) => cpu)) : undefined,
      rate: median(rounds.map(({ rate }) => rate)),
      rateRatio: ratioOf(rounds, base, 'rate'),
    },
  }))
  return {
    id: `overhead.${kind}`,
    title,
    about: `Keep-alive, ${inFlight} in flight, server in a process of its own; medians of ${base.length} interleaved rounds. `
      + `CPU is of the whole client process; ratios are to ${BASELINE} in the same round.`,
    columns: [
      { key: 'ratio', title: 'CPU ratio', unit: 'ratio' },
      { key: 'cpu', title: 'CPU per call', unit: 'µs' },
      { key: 'spread', title: '± of rounds', unit: 'share' },
      { key: 'rate', title: 'calls', unit: 'per second' },
      { key: 'rateRatio', title: 'rate ratio', unit: 'ratio' },
    ],
    rows: rows.sort((a, b) => (a.values['ratio'] ?? 0) - (b.values['ratio'] ?? 0)),
    chart: 'ratio',
  }
}
