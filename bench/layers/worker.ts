// Measures one case: a process of its own per case, so that one's types do not slow the other's code.
import { answer } from '../process/child.ts'
import { SINGLE, STACK, type Probe } from './cases.ts'

/** What to measure, and for how long. */
export interface Stint {
  readonly ms: number
  readonly inFlight: number
}

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

/** Bytes of heap per call: needs a young generation so large that nothing is collected meanwhile. */
async function bytes({ ms, inFlight }: Stint): Promise<number> {
  await time({ ms: ms * 2, inFlight })
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  let left = 16
  let made = 0
  while (left-- > 0) made += await drive(inFlight, () => false)
  return (process.memoryUsage().heapUsed - before) / made
}

answer({ open, time, bytes })
