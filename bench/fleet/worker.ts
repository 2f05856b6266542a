// Simulates fleets for its parent: under the test runner, which watches every promise, it would take four times as long.
import { answer } from '../process/child.ts'
import type { Figures } from '../stats.ts'
import { figuresOfRun } from './figures.ts'
import { planOf } from './plan.ts'
import { simulate } from './simulate.ts'

/** A plan of `PLANS`, and chance's seed. */
export interface Task {
  readonly plan: string
  readonly seed: number
  /** Every protection is switched off, and callers try up to five times whatever happens. */
  readonly bare?: boolean
}

/** What is told of a run. */
export interface Told {
  readonly figures: Figures
  /** Timers that the clients had armed when all calls were over. */
  readonly timersLeft: number
  /** The first client, as each stretch ended. */
  readonly known: readonly Known[]
}

/** What a client holds at a moment. */
export interface Known {
  readonly upstreams: number
  /** Circuits that are not closed. */
  readonly notClosed: number
  /** Bytes of the process's heap after a full collection; NaN without `--expose-gc`. */
  readonly heap: number
}

function heap(): number {
  if (globalThis.gc === undefined) return NaN
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const BARE = { breaker: false, limit: false, retry: { limit: 4, budget: { capacity: 1e6, cost: 1 } } } as const

async function run({ plan: name, seed, bare }: Task): Promise<Told> {
  const plan = planOf(name)
  const known: Known[] = []
  const outcome = await simulate(bare === true ? { ...plan, options: BARE } : plan, seed, ([client]) => {
    const circuits = client!.snapshot().map(({ endpoints }) => endpoints.map(({ circuit }) => circuit))
    const notClosed = circuits.flat().filter(circuit => circuit !== 'closed').length
    known.push({ upstreams: circuits.length, notClosed, heap: heap() })
  })
  return { figures: figuresOfRun(outcome), timersLeft: outcome.timersLeft, known }
}

answer({ run })
