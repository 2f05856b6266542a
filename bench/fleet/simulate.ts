import { upstreamKeys } from '../../demo/messages.ts'
import { columnWidth, spanIndexAt, totalOf } from '../../demo/phases.ts'
import type { Track } from '../../demo/run.ts'
import { Series } from '../../demo/series.ts'
import { Tally } from '../../demo/tally.ts'
import { channels, type CircuitEvent, type Client } from '../../src/index.ts'
import { counted, fleetOf, load, type Pair, seeds } from './clients.ts'
import { ModelEndpoint } from './model.ts'
import { originsOf, type Plan } from './plan.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Per column, over the whole fleet: attempts made while a circuit was not closed, and circuits that were not. */
export const fleetKeys = ['probes', 'notClosed'] as const
/** One of {@link fleetKeys}. */
export type FleetKey = typeof fleetKeys[number]

/** All that was seen of a fleet. */
export interface Outcome {
  readonly plan: Plan
  /** The calls of all clients and what reached all upstreams, in the demo's form. */
  readonly track: Track
  readonly fleet: Series<FleetKey>
  readonly pairs: readonly Pair[]
  /** Timers the clients had armed when all calls were over. */
  readonly timersLeft: number
  /** Things that happened in virtual time. */
  readonly events: number
}

/** Looks at the clients as a stretch ends. */
export type Watch = (clients: readonly Client[]) => void

/**
 * Runs a fleet through its plan in virtual time, with the library as it is: only time, chance and the network are
 * played. The same seed gives the same outcome to the last digit. One at a time: it listens to the circuits of the process.
 */
export async function simulate(plan: Plan, seed: number, watch: Watch = () => undefined): Promise<Outcome> {
  const clock = new VirtualClock()
  const { stretches } = plan
  const [tally, upstream, fleet] = [new Tally(stretches), new Series(upstreamKeys), new Series(fleetKeys)]
  const column = (): number => Series.columnAt(clock.now())
  const chance = seeds(seed)
  const endpoints = new Map(Array.from({ length: plan.upstreams }, (_, index) => originsOf(plan, index)).flat()
    .map(origin => [origin, new ModelEndpoint(plan, clock, chance())]))

  /** Circuits that are not closed, by upstream and endpoint. */
  const notClosed = new Set<string>()
  const armed = counted(clock)
  const { clients, pairs, byName } = fleetOf(plan, armed, chance, (name, origin) => {
    const endpoint = endpoints.get(origin)!
    return endpoint.connect(() => {
      upstream.add('reached', column())
      upstream.raise('queued', column(), endpoint.queued)
      if (notClosed.has(name + origin)) fleet.add('probes', column())
    })
  })
  const hear = ({ upstream: name, endpoint, from, to }: CircuitEvent): void => {
    if (to === 'closed') notClosed.delete(name + endpoint)
    else notClosed.add(name + endpoint)
    if (from === 'closed') byName.get(name)!.opened[spanIndexAt(stretches, clock.now())]! += 1
  }

  for (const pair of pairs) load(pair, plan, clock, chance(), tally)
  stretches.forEach(({ from, weather, hits = () => true }) => {
    clock.after(from, () => {
      for (let index = 0; index < plan.upstreams; index++) {
        originsOf(plan, index).forEach((origin, endpoint) => {
          endpoints.get(origin)!.weather = hits(index, endpoint) ? weather : { kind: 'healthy' }
        })
      }
    })
  })
  const look = (): void => {
    fleet.raise('notClosed', column(), notClosed.size)
    // A queue stands while nothing comes, too.
    for (const endpoint of endpoints.values()) upstream.raise('queued', column(), endpoint.queued)
    clock.after(columnWidth, look)
  }
  look()

  channels.circuit.subscribe(hear)
  try {
    for (const { to } of stretches) {
      // What is due at that moment belongs to the next.
      await clock.run(to - 1e-3)
      watch(clients)
    }
    await clock.run(totalOf(stretches) + plan.deadline + 1)
  } finally {
    channels.circuit.unsubscribe(hear)
  }
  const { late, dropped } = tally
  const track: Track = { name: plan.name, calls: tally.series, upstream, failing: tally.failing(), dropped, late, circuits: [] }
  const timersLeft = armed.pending
  await Promise.all(clients.map(client => client.destroy()))
  return { plan, track, fleet, pairs, timersLeft, events: clock.fired }
}
