import type { ClientSummary, PhaseSummary } from './summary.ts'
import { count, duration, percent } from './words.ts'

/** What is promised of an outage: times in milliseconds. */
export const promised = { medianTimeToFail: 1, reachedShare: 0.02, recovery: 1000 } as const

/** Says where a client falls short of what is promised of an outage; nothing when it keeps it all. */
export function shortfalls(client: ClientSummary): string[] {
  const outages = client.phases.filter(phase => phase.phase === 'outage')
  return outages.length > 0 ? outages.flatMap(inOutage) : ['there was no outage']
}

function inOutage({ medianTimeToFail: median, reachedShare, reached = 0, offered, recovery }: PhaseSummary): string[] {
  const short: string[] = []
  if (median === undefined) {
    short.push('no call failed in the outage, so there was none')
  } else if (median >= promised.medianTimeToFail) {
    short.push(`the median time to fail in the outage was ${duration(median)}, promised is less than 1 ms`)
  }
  if (reachedShare === undefined || reachedShare >= promised.reachedShare) {
    const share = `${count(reached)} of ${count(offered)} calls (${percent(reachedShare ?? 0)})`
    short.push(`${share} reached the upstream in the outage, promised is less than 2 %`)
  }
  if (recovery?.time === undefined || recovery.time > promised.recovery) {
    const seen = !recovery ? 'was not watched'
      : recovery.time === undefined ? `did not come back within ${duration(recovery.watched)}`
      : `came back ${duration(recovery.time)}`
    short.push(`goodput ${seen} after the outage, promised is 95 % within 1 s`)
  }
  return short
}

/** A load that was so much later than its schedule, in milliseconds, was no even load. */
const uneven = 15

/**
 * How late the calls of an outage or its recovery were made, when that was too late for a verdict: then the machine was
 * busy with something else, and what was measured is that.
 */
export function disturbance(client: ClientSummary): number | undefined {
  const judged = client.phases
    .filter(({ phase }, index) => phase === 'outage' || client.phases[index - 1]?.phase === 'outage')
  const late = Math.max(0, ...judged.map(phase => phase.late))
  return late > uneven ? late : undefined
}
