// Measures one client: a process of its own per contender, so that none warms, slows or replaces another's code.
import type { Calls } from '../contenders/contender.ts'
import { contender } from '../contenders/index.ts'
import { answer } from '../process/child.ts'
import { CASES, type Case, type CaseName } from './cases.ts'

/** Which client, of which server. */
export interface Opening {
  readonly contender: string
  readonly origin: string
  readonly inFlight: number
}

/** What to measure and for how long. */
export interface Burst {
  readonly name: CaseName
  readonly ms: number
  /** In place of the case's own. */
  readonly inFlight?: number
}

/** What was measured. */
export interface Measured {
  readonly calls: number
  /** CPU time of this process per call in µs, garbage collection and all other threads included. */
  readonly cpu: number
  /** Calls per second. */
  readonly rate: number
}

let calls: Calls

async function open({ contender: name, origin, inFlight }: Opening): Promise<void> {
  calls = await (await contender(name)).open(origin, inFlight)
}

/** Keeps so many calls in flight until time is up; every call begun is finished and counted. */
async function measure({ name, ms, inFlight }: Burst): Promise<Measured> {
  const kind: Case = CASES[name]
  const until = performance.now() + ms
  const began = performance.now()
  const cpu = process.cpuUsage()
  let made = 0
  const caller = async (): Promise<void> => {
    do {
      await kind.run(calls)
      made++
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: inFlight ?? kind.inFlight }, caller))
  const { user, system } = process.cpuUsage(cpu)
  return { calls: made, cpu: (user + system) / made, rate: made / (performance.now() - began) * 1000 }
}

answer({ open, measure, close: () => calls.close() })
