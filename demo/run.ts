import { setTimeout as sleep } from 'node:timers/promises'
import { Children } from './children.ts'
import type { Circuit } from './clients/client.ts'
import { clients } from './clients/index.ts'
import { now } from './clock.ts'
import {
  type DriverChannel, driverKeys, type DriverReport, type Failing, insideKeys, type InsideKey, type Plan,
  type UpstreamChannel, upstreamKeys,
} from './messages.ts'
import { modeOf, type OutageKind, type Span, totalOf } from './phases.ts'
import { Series } from './series.ts'

/** What is to be run. */
export interface Experiment {
  readonly spans: readonly Span[]
  /** Calls per second through each client. */
  readonly rate: number
  /** Milliseconds. */
  readonly deadline: number
  readonly outage: OutageKind
  readonly workers: number
  /** Milliseconds. */
  readonly serviceTime: number
  /** An upstream of one's own, in place of the models. */
  readonly url?: string
}

/** All that is known so far of one client and of the upstream behind it. */
export interface Track {
  readonly name: string
  readonly calls: Series<'offered' | 'good' | 'failed'>
  /** Absent when the upstream is not ours. */
  readonly upstream?: Series<'reached' | 'queued'>
  /** Absent when the client cannot tell. */
  inside?: Series<InsideKey>
  /** Per phase. */
  failing: readonly Failing[]
  /** Per phase. */
  dropped: readonly number[]
  /** Per phase, in milliseconds. */
  late: readonly number[]
  /** The circuit as the driver saw it, each time its state had changed. */
  readonly circuits: Sighting[]
  /** The circuit now. */
  circuit?: Circuit
}

/** The circuit at a moment, in milliseconds since the start. */
export interface Sighting extends Circuit {
  readonly at: number
}

/** A run: what it is, where it is, and what is known. */
export interface Run {
  readonly experiment: Experiment
  readonly tracks: readonly Track[]
  /** Milliseconds since the first phase began; negative before. */
  elapsed(): number
}

interface Lane {
  readonly track: Track
  begin(plan: Plan): void
  finish(): Promise<void>
}

/**
 * Runs an experiment: for each client a driver process and, unless there is a url, an upstream process of its own, so
 * that the harm one client does falls on itself.
 *
 * @param show told of the run as it begins; it looks at it as often as it likes
 * @param signal stops it, with the signal's reason
 */
export async function run(experiment: Experiment, show: (run: Run) => void, signal: AbortSignal): Promise<Run> {
  const children = new Children()
  const stopped = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true })
  })
  try {
    return await Promise.race([perform(experiment, show, children), children.failure, stopped])
  } finally {
    await children.end()
  }
}

async function perform(experiment: Experiment, show: (run: Run) => void, children: Children): Promise<Run> {
  const lanes = await Promise.all(Object.keys(clients).map(name => open(name, experiment, children)))
  const { spans, outage, deadline } = experiment
  const plan: Plan = { start: now() + 200, spans, modes: spans.map(span => modeOf(span.name, outage)) }
  const seen: Run = { experiment, tracks: lanes.map(lane => lane.track), elapsed: () => now() - plan.start }
  for (const lane of lanes) lane.begin(plan)
  show(seen)
  await sleep(200 + totalOf(spans) + deadline + 300, undefined, { ref: false })
  await Promise.all(lanes.map(lane => lane.finish()))
  return seen
}

/** Starts the processes of one client and waits until they are ready. */
async function open(name: string, experiment: Experiment, children: Children): Promise<Lane> {
  const { rate, deadline, workers, serviceTime } = experiment
  const model = experiment.url === undefined ? children.start<UpstreamChannel>('upstream.ts') : undefined
  model?.send({ type: 'setup', workers, serviceTime })
  const url = experiment.url ?? (await model?.when('ready'))?.url ?? ''

  const driver = children.start<DriverChannel>('driver.ts')
  driver.send({ type: 'setup', client: name, url, rate, deadline })
  await driver.when('ready')

  const upstream = model && new Series(upstreamKeys)
  const track: Track = {
    name, calls: new Series(driverKeys), failing: [], dropped: [], late: [], circuits: [], ...upstream && { upstream },
  }
  driver.on('driver', report => { note(track, report) })
  model?.on('upstream', report => { upstream?.merge(report.part) })
  return {
    track,
    begin: plan => {
      model?.send({ type: 'begin', plan })
      driver.send({ type: 'begin', plan })
    },
    finish: async () => {
      const done: Promise<unknown>[] = [driver.when('driver', report => report.final)]
      if (model) done.push(model.when('upstream', report => report.final))
      driver.send({ type: 'finish' })
      model?.send({ type: 'finish' })
      await Promise.all(done)
    },
  }
}

/** Takes over what a driver has told. */
export function note(track: Track, report: DriverReport): void {
  track.calls.merge(report.part)
  if (report.inside) (track.inside ??= new Series(insideKeys)).merge(report.inside)
  track.failing = report.failing
  track.dropped = report.dropped
  track.late = report.late
  if (!report.circuit) return
  track.circuit = report.circuit
  if (track.circuits.at(-1)?.state !== report.circuit.state) track.circuits.push({ at: report.at, ...report.circuit })
}
