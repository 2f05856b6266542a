// Measures one case: a process of its own per case, so that one's types do not slow the other's code.
import { answer } from '../process/child.ts'
import { median } from '../stats.ts'
import { SINGLE, STACK, type Probe } from './cases.ts'

/** What to measure, and for how long. */
export interface Stint {
  readonly ms: number
  readonly inFlight: number
}

/** Rounds in which bytes are counted, and how often in each all callers make their calls. */
const ROUNDS = 9
const STRETCH = 8

let probe: Probe

async function open(name: string): Promise<void> {
  const found = STACK[name] ?? SINGLE[name]
  if (found === undefined) throw new Error(`no case is called ${name}`)
  probe = await found.make()
}

/** Callers that each make one call after the other; how often the clock is read must not show. */
async function drive(inFlight: number, more: () => boolean): Promise<number> {
  let made = 0
  const caller = async (): Promise<void> => {
    do {
      for (let call = 0; call < 8; call++) await probe()
      made += 8
      // Refusals need no turn of the event loop, but the loop must go round: timers drive windows and probes.
      if (made % 4_096 < 8) await new Promise(resolve => { setImmediate(resolve) })
    } while (more())
  }
  await Promise.all(Array.from({ length: inFlight }, caller))
  return made
}

/** CPU time of the process per call, in ns: garbage collection counts, what others do on the machine does not. */
async function time({ ms, inFlight }: Stint): Promise<number> {
  const until = performance.now() + ms
  const cpu = process.cpuUsage()
  const made = await drive(inFlight, () => performance.now() < until)
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) * 1_000 / made
}

/**
 * Bytes of heap per call, in code that the engine has optimised: the median of several rounds. A full collection comes before,
 * as it empties the young generation, and then a warm-up: with no call in flight it drops what optimised code knows of its
 * objects' shapes, and the code with it, which makes half as much garbage again until it is back. The young generation has to
 * be so large that no round is collected; a round in which that happened all the same is told by its sum and left out.
 */
async function bytes({ ms, inFlight }: Stint): Promise<number> {
  globalThis.gc?.()
  await time({ ms: ms * 3, inFlight })
  const found: number[] = []
  for (let round = 0; round < 3 * ROUNDS && found.length < ROUNDS; round++) {
    const before = process.memoryUsage().heapUsed
    let made = 0
    for (let left = STRETCH; left > 0; left--) made += await drive(inFlight, () => false)
    const grown = process.memoryUsage().heapUsed - before
    if (grown > 0) found.push(grown / made)
  }
  return median(found)
}

answer({ open, time, bytes })
