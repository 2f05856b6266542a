import { spanIndexAt, totalOf } from '../../demo/phases.ts'
import type { Tally } from '../../demo/tally.ts'
import type { Clock, Random, Timer } from '../../src/clock.ts'
import { createClient, type Client, type DispatcherLike, type ReplyPromise, UpstreamError } from '../../src/index.ts'
import { seededRandom } from '../../test/support/clock.ts'
import { originsOf, type Plan } from './plan.ts'

/** One client before one upstream: what became of its calls, per stretch. */
export interface Pair {
  readonly client: number
  readonly upstream: number
  readonly offered: number[]
  readonly good: number[]
  /** How often one of its circuits opened that had been closed. */
  readonly opened: number[]
  /** Makes one call. */
  readonly call: () => ReplyPromise
}

/** The clients, and each of them before each of its upstreams. */
export interface Fleet {
  readonly clients: readonly Client[]
  readonly pairs: readonly Pair[]
  /** By the name that the upstream has in events, which no other pair has. */
  readonly byName: ReadonlyMap<string, Pair>
}

/** A fresh chance for everyone who asks, all of them from one seed. */
export function seeds(seed: number): () => Random {
  const first = seededRandom(seed)
  return () => seededRandom(first() * 2 ** 32)
}

/** A clock that knows how many of the timers it gave out are armed. */
export function counted(clock: Clock): Clock & { readonly pending: number } {
  const pending = new Set<object>()
  return {
    stalledAt: -Infinity,
    now: () => clock.now(),
    get pending() { return pending.size },
    after(ms, run) {
      const timer = clock.after(ms, late => {
        pending.delete(token)
        run(late)
      })
      const token: Timer = {
        cancel: () => {
          pending.delete(token)
          timer.cancel()
        },
      }
      pending.add(token)
      return token
    },
  }
}

/** How a client that knows an upstream by this name connects to one of its endpoints. */
type Connect = (name: string, origin: string) => DispatcherLike

/** Each client knows its upstreams by names that are its own; a single one knows them by their origin, unconfigured. */
export function fleetOf(plan: Plan, clock: Clock, chance: () => Random, connect: Connect): Fleet {
  const isAlone = plan.clients === 1 && plan.endpoints === 1
  const zeros = (): number[] => plan.stretches.map(() => 0)
  const byName = new Map<string, Pair>()
  const pairs: Pair[] = []
  const clients = Array.from({ length: plan.clients }, (_, index) => {
    const named = Array.from({ length: plan.upstreams }, (_, upstream) => {
      const origins = originsOf(plan, upstream)
      return { upstream, origins, name: isAlone ? origins[0]! : `client-${index}-service-${upstream}` }
    })
    const nameOf = new Map(named.flatMap(({ origins, name }) => origins.map(origin => [origin, name])))
    const client = createClient({
      deadline: plan.deadline, env: { clock, random: chance() },
      pool: { factory: origin => connect(nameOf.get(origin)!, origin) },
      ...isAlone ? {} : { upstreams: Object.fromEntries(named.map(({ name, origins }) => [name, { url: origins }])) },
      ...plan.options,
    })
    for (const { upstream, name } of named) {
      const call = isAlone ? () => client.get(`${name}/`) : () => client.upstream(name).get('/')
      const pair = { client: index, upstream, offered: zeros(), good: zeros(), opened: zeros(), call }
      pairs.push(pair)
      byName.set(name, pair)
    }
    return client
  })
  return { clients, pairs, byName }
}

/** Makes the calls of one pair, each after a time drawn from an exponential distribution, and counts them. */
export function load(pair: Pair, plan: Plan, clock: Clock, random: Random, tally: Tally): void {
  const mean = 1_000 * plan.clients * plan.upstreams / plan.rate
  const end = totalOf(plan.stretches)
  const call = async (): Promise<void> => {
    const at = clock.now()
    const stretch = spanIndexAt(plan.stretches, at)
    tally.made(at, 0)
    pair.offered[stretch]! += 1
    try {
      await pair.call()
      tally.good(at)
      pair.good[stretch]! += 1
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      tally.failed(at, clock.now() - at)
    }
  }
  const next = (): void => {
    const wait = -Math.log(1 - random()) * mean
    if (clock.now() + wait >= end) return
    clock.after(wait, () => {
      void call()
      next()
    })
  }
  next()
}
