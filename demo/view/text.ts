import { brownOut, type Mode } from '../phases.ts'
import type { Experiment } from '../run.ts'

/** What is about to be seen. */
export function intro({ rate, deadline, url }: Experiment): string {
  const where = url === undefined ? 'each with its own upstream' : `both at ${new URL(url).host}`
  return `${rate} calls/s through each client, ${where}; deadline ${deadline} ms`
}

/** What the upstream is doing. */
export function doing(mode: Mode, { workers, serviceTime, url }: Experiment): string {
  if (url !== undefined) return 'the upstream is left as it is'
  switch (mode) {
    case 'healthy': return `the upstream is well: ${capacity(workers, serviceTime)}`
    case 'brown-out': return `the upstream is slow: ${capacity(brownOut(workers), serviceTime)}`
    case '502': return 'the upstream answers every call with a 502'
    case 'reset': return 'the upstream resets every connection'
    case 'hang': return 'the upstream takes calls and does not answer'
  }
}

function capacity(workers: number, serviceTime: number): string {
  const rate = Math.round(workers * 1000 / serviceTime).toLocaleString('en-US')
  return `${workers} workers × ${serviceTime} ms, ${rate} calls/s`
}
