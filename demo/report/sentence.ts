import type { ClientSummary, PhaseSummary, RecoverySummary } from './summary.ts'
import { count, duration, percent } from './words.ts'

/** Says in plain words what was seen of one client: of its outage and brown-out, or of the load as a whole. */
export function sentence(client: ClientSummary): string {
  const told = client.phases.filter(phase => phase.phase === 'outage' || phase.phase === 'brown-out').map(sick)
  return `${client.name}: ${told.length > 0 ? told.join('; ') : whole(client)}.`
}

function sick({ phase, offered, reached, medianTimeToFail, goodput, longestQueue, recovery }: PhaseSummary): string {
  const parts = [
    phase === 'brown-out' && `answered ${percent(goodput)} well`,
    reached !== undefined && `sent the upstream ${count(reached)} calls for ${count(offered)} asked`,
    phase === 'brown-out' && longestQueue !== undefined && `left ${count(longestQueue)} in its queue`,
    medianTimeToFail !== undefined && `failed in ${duration(medianTimeToFail)} (median)`,
    recovery && back(recovery),
  ]
  return `in the ${phase} it ${list(parts.filter(part => typeof part === 'string'))}`
}

function back({ time, watched }: RecoverySummary): string {
  if (time === undefined) return `had not recovered ${duration(watched)} after it`
  return `was back to 95 % ${time === 0 ? 'at once' : `${duration(time)} after it`}`
}

function whole(client: ClientSummary): string {
  const offered = client.phases.reduce((sum, phase) => sum + phase.offered, 0)
  const good = client.phases.reduce((sum, phase) => sum + phase.good, 0)
  return `${count(good)} of ${count(offered)} calls were answered well (${percent(offered === 0 ? 0 : good / offered)})`
}

const list = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''}`
