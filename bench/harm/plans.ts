import { parsePhases, type Span } from '../../demo/phases.ts'
import { CLIENTS, OWN } from '../scenarios/clients.ts'
import type { FrontName } from './fronts.ts'

/** What a slow caller does: see `MANNERS` in crowd.ts. */
export type Manner = 'upload' | 'download' | 'events' | 'half'

/** One way for calls to take: who makes them, and what stands before the origin. */
export interface Lane {
  /** The row of its figures. */
  readonly name: string
  /** One of the clients of the scenarios; without it the caller is a browser. */
  readonly client?: string
  /** A proxy or gateway; without it the origin is called. */
  readonly front?: FrontName
}

/** Slow callers, or a route that is ill, beside calls that should not suffer from them. */
export interface Scenario {
  readonly name: string
  /** What happens. */
  readonly about: string
  readonly group: 'gateway' | 'mixed' | 'route'
  /** Calls per second, of those that are counted and those that are not. */
  readonly rate: number
  /** As the demo's `--phases`, and what it is under `--short`, if it is run then. Figures are of the last phase. */
  readonly phases: string
  readonly brief?: string
  /** Slow callers, who come with the last phase. */
  readonly crowd?: { readonly manner: Manner; readonly count: number }
  /** Whether it is left out where its processes cannot have a network of their own. */
  readonly needsNetwork?: boolean
  /** Path of the calls that are counted. */
  readonly path: string
  /** One call in so many asks for a route that is ill, and is not counted. */
  readonly ill?: { readonly path: string; readonly every: number }
  readonly lanes: readonly Lane[]
}

/** The row of the calls that come through a gateway, where most come through clients. */
export const GATEWAY = 'breakwater’s gateway'

/** ms a caller waits. */
export const PATIENCE = 5_000

const proxies = (['breakwater', 'breakwater, no limits', 'http-proxy-3', '@fastify/reply-from'] as const)
  .map((front): Lane => ({ name: front, front }))
const clients = (front?: FrontName): Lane[] =>
  Object.keys(CLIENTS).map(client => ({ name: client, client, ...front !== undefined && { front } }))

const crowded = (name: string, count: number, manner: Manner, about: string, brief?: string): Scenario => ({
  name, group: 'gateway', rate: 100, phases: 'health:4,load:12', ...brief !== undefined && { brief },
  about: `${count.toLocaleString('en')} callers ${about}`, crowd: { manner, count }, path: '/stock', lanes: proxies,
})

const uploads = 'send 100 kB each, 100 bytes every 250 ms'
const downloads = 'read 1 kB/s of 5 MB each'

const mixed = (name: string, front: FrontName, about: string, brief?: string): Scenario => ({
  name, group: 'mixed', rate: 100, phases: 'outage:10', ...brief !== undefined && { brief },
  about: `one call in ten asks for a dead route, ${about}`, path: '/stock', ill: { path: '/orders', every: 10 }, lanes: clients(front),
})

const oneBadRoute = (rate: number): Scenario => ({
  name: `one bad route, ${rate}/s`, about: 'one call in six asks for a route that answers 502', group: 'route', rate,
  phases: 'outage:30', path: '/stock', ill: { path: '/bad', every: 6 },
  lanes: [...clients(), { name: GATEWAY, front: OWN }],
})

/** The scenarios, in the order they are run; under `--short` only those with a brief form. */
export const SCENARIOS: readonly Scenario[] = [
  crowded('25 slow uploads', 25, 'upload', uploads, 'health:0.25,load:0.75'),
  crowded('1,000 slow uploads', 1_000, 'upload', uploads),
  crowded('25 slow downloads', 25, 'download', downloads),
  { ...crowded('1,000 slow downloads', 1_000, 'download', downloads), needsNetwork: true },
  crowded('500 subscribers', 500, 'events', 'hear an event every 2 s each (server-sent events)'),
  crowded('100 stopped replies', 100, 'half', 'get half of a reply each, then nothing more'),
  mixed('behind Varnish', 'varnish', 'answered 503 with Retry-After: 5'),
  mixed('behind nginx', 'nginx', 'answered 502 as nothing listens there'),
  mixed('behind our gateway', 'own gateway', 'answered by a circuit of ours', 'outage:1'),
  {
    name: 'wholly overloaded', about: 'every call is answered 503 with Retry-After: 5', group: 'mixed', rate: 100,
    phases: 'outage:20', path: '/busy', ill: { path: '/busy/orders', every: 10 }, lanes: clients(),
  },
  oneBadRoute(1), oneBadRoute(6), oneBadRoute(60),
]

/** What happens when, in full or in brief. */
export const spansOf = ({ phases, brief }: Scenario, short: boolean): Span[] => parsePhases(short ? brief ?? phases : phases)

/** Whether a lane is through the library as it comes. */
export const isOwn = ({ name }: Lane): boolean => name === OWN || name === GATEWAY
