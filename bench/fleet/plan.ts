import type { Span } from '../../demo/phases.ts'
import type { ClientOptions } from '../../src/index.ts'
import type { EndpointSetup, Weather } from './model.ts'

/** A stretch of time, and the weather it brings to some or all endpoints. */
export interface Stretch extends Span {
  readonly weather: Weather
  /** Those it is for; all others are healthy. All, if it is left out. */
  readonly hits?: (upstream: number, endpoint: number) => boolean
}

/** A fleet of clients, and the upstreams they call. */
export interface Plan extends EndpointSetup {
  readonly name: string
  readonly about: string
  readonly clients: number
  readonly upstreams: number
  /** Endpoints of each upstream. */
  readonly endpoints: number
  /** Calls per second from all clients to all upstreams together; those of each pair come at random (a Poisson process). */
  readonly rate: number
  /** How long a caller waits, in ms. */
  readonly deadline: number
  readonly stretches: readonly Stretch[]
  /** The stretch that is looked at; a recovery after it is looked at, too. */
  readonly judged: number
  /** What is said to every client beside the deadline. */
  readonly options?: ClientOptions
}

const HEALTHY: Weather = { kind: 'healthy' }
/** Long enough for every client to know what is usual. */
const WARM = 15

type Part = Pick<Stretch, 'name' | 'weather' | 'hits'> & { readonly seconds: number }

function stretches(...parts: readonly Part[]): Stretch[] {
  let to = 0
  return parts.map(({ seconds, ...part }) => {
    const from = to
    to += seconds * 1_000
    return { ...part, from, to }
  })
}

const healthy = (seconds: number, name: 'health' | 'recovery' | 'load' = 'health'): Part => ({ name, seconds, weather: HEALTHY })

/** 200 clients before one upstream of 20 workers × 20 ms on average, which is 1,000 calls/s. */
const FLEET = {
  clients: 200, upstreams: 1, endpoints: 1, rate: 700, deadline: 500, workers: 20, serviceTime: 20, varies: true,
} as const

const spell = (name: string, about: string, phase: 'outage' | 'brown-out', weather: Weather, seconds = 5, after = 15): Plan => ({
  ...FLEET, name, about, judged: 1,
  stretches: stretches(healthy(WARM), { name: phase, seconds, weather }, healthy(after, 'recovery')),
})

/** The same weather all the time, looked at once it has been so for a while. */
const steady = (
  name: string, about: string, weather: Weather, rate: number = FLEET.rate, [settling, seconds] = [WARM, WARM],
): Plan => ({
  ...FLEET, name, about, rate, judged: 1,
  stretches: stretches({ name: 'load', seconds: settling, weather }, { name: 'load', seconds, weather }),
})

/** The same before one client that makes all the calls. */
const alone = (plan: Plan): Plan => ({ ...plan, name: `${plan.name}, one client`, clients: 1 })

const HANG = spell('hang', 'nothing is answered for 5 s, all of it is worked off afterwards', 'outage', { kind: 'hang' })
const BROWN_OUT = spell('brown-out', 'a tenth of the workers is left for 5 s', 'brown-out', { kind: 'brown-out' })
const LONG_OVERLOAD = steady(
  'long overload', 'half as many calls again as it can take, for a minute', HEALTHY, 1_500, [5, 55],
)
const THROTTLED = steady(
  'throttled', 'the same load, but with 20 in its queue it answers 503 with a Retry-After of 1 s',
  { kind: 'healthy', throttleAt: 20 }, 1_500,
)

/** The plans, in the order they are run. */
export const PLANS: readonly Plan[] = [
  spell('outage', 'every call is answered 502 for 5 s', 'outage', { kind: '502' }),
  spell('long outage', 'connections are refused for a minute', 'outage', { kind: 'refused' }, 60, 45),
  HANG,
  BROWN_OUT,
  steady('overload', 'half as many calls again as it can take, for 15 s', HEALTHY, 1_500, [5, 10]),
  LONG_OVERLOAD,
  THROTTLED,
  steady('flaky', 'one call in five fails with 502, for good', { kind: 'healthy', failing: 0.2 }),
  steady('very flaky', 'three calls in ten fail with 502, for good', { kind: 'healthy', failing: 0.3 }),
  {
    ...FLEET, name: 'deploy', about: 'four endpoints refuse connections for 3 s each, one after the other',
    endpoints: 4, workers: 5, judged: 1,
    stretches: stretches(
      healthy(WARM),
      ...[0, 1, 2, 3].map((down): Part => ({
        name: 'outage', seconds: 3, weather: { kind: 'refused' }, hits: (_, endpoint) => endpoint === down,
      })),
      healthy(10, 'recovery'),
    ),
  },
  ...[HANG, BROWN_OUT, LONG_OVERLOAD, THROTTLED].map(alone),
  {
    ...FLEET, name: '2,000 upstreams', about: 'one client, and half of its upstreams refuse connections for 20 s',
    clients: 1, upstreams: 2_000, rate: 2_000, workers: 2, judged: 1, options: { maxUpstreams: 2_000 },
    stretches: stretches(
      healthy(10),
      { name: 'outage', seconds: 20, weather: { kind: 'refused' }, hits: upstream => upstream % 2 === 1 },
      healthy(30, 'recovery'),
    ),
  },
]

/** One of them by its name. */
export const planOf = (name: string): Plan => {
  const found = PLANS.find(plan => plan.name === name)
  if (found === undefined) throw new Error(`no plan is called ${name}`)
  return found
}

const origin = (upstream: number, endpoint: number): string => `http://service-${upstream}-${endpoint}.internal`

/** The addresses of an upstream. */
export const originsOf = ({ endpoints }: Plan, upstream: number): string[] =>
  Array.from({ length: endpoints }, (_, endpoint) => origin(upstream, endpoint))
