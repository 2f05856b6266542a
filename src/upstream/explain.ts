import type { PolicySource } from '../options/policy-table.ts'
import type { Policy } from '../options/policy.ts'
import type { UpstreamSnapshot } from './snapshot.ts'

/** What would happen to a call of a URL, and why. */
export interface Explanation {
  /** The upstream's name, or its origin. */
  readonly upstream: string
  /** The origin that was asked about. */
  readonly origin: string
  /** Whether `allow` lets it be called. */
  readonly allowed: boolean
  /** Where its policy comes from, e.g. `defaults` or `upstreams.payments`. */
  readonly source: string
  /** Every option that applies, defaults included. */
  readonly policy: Policy
  /** Undefined while nobody has called it. */
  readonly snapshot: UpstreamSnapshot | undefined
  /** All of it in words, for a log or a terminal. */
  readonly text: string
}

/** Puts an explanation together. */
export function explanation(
  upstream: string, origin: string, allowed: boolean, { policy, source }: PolicySource, snapshot: UpstreamSnapshot | undefined,
): Explanation {
  const lines = [
    `${upstream}${upstream === origin ? '' : ` (${origin})`}: policy from ${source}`,
    ...(allowed ? [] : ['  not allowed: calls are refused by the option allow']),
    `  deadline ${policy.deadline} ms, attempt ${policy.attemptTimeout} ms, `
    + (policy.retry === false ? 'no retries' : `${policy.retry.limit} ${policy.retry.limit === 1 ? 'retry' : 'retries'} at most`),
    ...standIns(policy),
    ...(snapshot === undefined ? ['  not called yet: no circuit, no connections'] : stateOf(snapshot)),
  ]
  return { upstream, origin, allowed, source, policy, snapshot, text: lines.join('\n') }
}

/** What answers when the upstream does not, in that order, and what is not sent twice. */
function standIns({ stale, fallback, coalesce }: Policy): string[] {
  const lines = [
    ...(stale === false ? [] : [`the last good reply up to ${stale.maxAge} ms old`]), ...(fallback === false ? [] : ['the fallback']),
  ]
  return [
    ...(lines.length === 0 ? [] : [`  when it fails: ${lines.join(', then ')}`]),
    ...(coalesce ? ['  equal GETs and HEADs in flight share one'] : []),
  ]
}

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`

function stateOf({ endpoints, limit, budget, stale }: UpstreamSnapshot): string[] {
  return [
    ...endpoints.map(({ origin, circuit, why, probeIn, calls, failureRate }) =>
      `  ${origin}: circuit ${circuit} (${why}), ${percent(failureRate)} of ${calls} calls in the window failed`
      + (probeIn === undefined ? '' : `, next probe in ${Math.ceil(probeIn)} ms at the latest`)),
    (limit.max === Infinity ? '  no limit; ' : `  limit: ${limit.inFlight} of ${limit.max} permits taken, ${limit.queued} waiting; `)
    + `budget: ${Math.floor(budget.tokens)} of ${budget.capacity} tokens`,
    ...(stale.entries === 0 ? [] : [`  ${stale.entries} last good ${stale.entries === 1 ? 'reply' : 'replies'} kept, ${stale.bytes} bytes`]),
  ]
}
