import { driverKeys } from '../../demo/messages.ts'
import type { Span } from '../../demo/phases.ts'
import { note, type Track } from '../../demo/run.ts'
import { Series } from '../../demo/series.ts'
import { Child } from '../process/parent.ts'
import type { Standing } from './front.ts'
import type { FrontName } from './fronts.ts'
import type { Load, LoadReport } from './load.ts'
import { PATIENCE, type Lane, type Scenario } from './plans.ts'
import { hasNetworks, networkOf, OWN_NETWORK } from './network.ts'
import { isInstalled, startProgram } from './programs.ts'

/** What was seen of one lane. */
export interface Seen extends Omit<LoadReport, 'driver'> {
  readonly track: Track
  /** Requests that came in at the origin, by path. */
  readonly reached: Readonly<Record<string, number>>
  /** The most memory that what stands before the origin has had, in bytes, if it is a process of Node's. */
  readonly memory?: number
}

interface Ended {
  end(): Promise<void>
}

/** Puts lanes through a scenario at the same time, each with an origin, a front and a caller of its own. */
export async function run(scenario: Scenario, spans: readonly Span[], lanes: readonly Lane[]): Promise<Seen[]> {
  const started: Ended[] = []
  const opening = lanes.map(lane => open(scenario, spans, lane, started))
  try {
    const begins = await Promise.all(opening)
    return await Promise.all(begins.map(begin => begin()))
  } finally {
    // Where one has failed, the others may still be starting something.
    await Promise.allSettled(opening)
    await Promise.all(started.map(each => each.end()))
  }
}

/** Starts what a lane is made of, and notes what has to be ended. @returns makes the calls */
async function open(
  { rate, path, ill, crowd }: Scenario, spans: readonly Span[], { name, client, front }: Lane, started: Ended[],
): Promise<() => Promise<Seen>> {
  const child = (file: string, through: readonly string[] = []): Child => {
    const child = new Child(new URL(file, import.meta.url), [], through)
    started.push(child)
    return child
  }
  const isApart = crowd !== undefined && hasNetworks()
  const origin = child('origin.ts', isApart ? OWN_NETWORK : [])
  const upstream = await origin.ask<string>('listen')
  // Only now has it become a process of that network.
  const network = isApart ? networkOf(origin.pid!) : []
  const caller = child('load.ts', network)
  let [url, standing]: [string, Child | undefined] = [upstream, undefined]
  const program = programOf(front)
  if (program !== undefined) {
    const at = await startProgram(program, upstream)
    started.push(at)
    url = at.url
  } else if (front !== undefined) {
    standing = child('front.ts', network)
    url = await standing.ask<string>('open', { front: scripted(front), origin: upstream } satisfies Standing)
  }
  const load: Load = {
    url, rate, path, spans, deadline: PATIENCE, ...client !== undefined && { client }, ...ill && { ill }, ...crowd && { crowd },
  }
  await caller.ask('warm', load)
  await origin.ask('forget')
  return async () => {
    const { driver, ...told } = await caller.ask<LoadReport>('run', load)
    const track: Track = { name, calls: new Series(driverKeys), failing: [], dropped: [], late: [], circuits: [] }
    note(track, driver)
    const reached = await origin.ask<Record<string, number>>('counts')
    return { ...told, track, reached, ...standing !== undefined && { memory: await standing.ask<number>('memory') } }
  }
}

/** The program that stands there; Varnish's bytes do where it is not installed. */
const programOf = (front: FrontName | undefined): 'nginx' | 'varnish' | undefined =>
  front === 'nginx' || (front === 'varnish' && isInstalled(front)) ? front : undefined

const scripted = (front: FrontName): Standing['front'] => (front === 'varnish' ? 'varnish bytes' : front as Standing['front'])

/** Whether all that a scenario needs is there. */
export const canRun = ({ lanes, needsNetwork }: Scenario): boolean =>
  lanes.every(({ front }) => front !== 'nginx' || isInstalled(front)) && (needsNetwork !== true || hasNetworks())
