import type { PolicySource } from '../options/policy-table.ts'
import type { Policy } from '../options/policy.ts'
import type { UpstreamSnapshot } from './snapshot.ts'

/** What would happen to a call to a URL, and why. */
export interface Explanation {
  /** The upstream's name, or its origin. */
  readonly upstream: string
  /** The origin in question. */
  readonly origin: string
  /** Whether `allow` permits calls to it. */
  readonly allowed: boolean
  /** Where its policy comes from, e.g. `defaults` or `upstreams.payments`. */
  readonly source: string
  /** Every option that applies, defaults included. */
  readonly policy: Policy
  /** The current state of the upstream; undefined before its first call. */
  readonly snapshot: UpstreamSnapshot | undefined
  /** The explanation as text, for a log or a terminal. */
  readonly text: string
}

/** What an explanation is composed from. */
export type Explained = Pick<Explanation, 'upstream' | 'origin' | 'allowed' | 'snapshot'>

/** Composes an explanation. */
export function explanation(explained: Explained, { policy, source }: PolicySource): Explanation {
  const { upstream, origin, allowed, snapshot } = explained
  const lines = [
    `${upstream}${upstream === origin ? '' : ` (${origin})`}: policy from ${source}`,
    ...(allowed ? [] : ['  not allowed: calls are refused by the option allow']),
    `  deadline ${policy.deadline} ms, attempt ${policy.attemptTimeout} ms, `
    + (policy.retry === false ? 'no retries' : `${policy.retry.limit} ${policy.retry.limit === 1 ? 'retry' : 'retries'} at most`),
    ...standIns(policy),
    ...(snapshot === undefined ? ['  not called yet: no circuit, no connections'] : stateOf(snapshot)),
  ]
  return { ...explained, source, policy, text: lines.join('\n') }
}

/** What replaces an error, in this order, and whether identical calls are coalesced. */
function standIns({ stale, fallback, coalesce }: Policy): string[] {
  const lines = [
    ...(stale === false ? [] : [`the last good reply up to ${stale.maxAge} ms old`]), ...(fallback === false ? [] : ['the fallback']),
  ]
  return [
    ...(lines.length === 0 ? [] : [`  when it fails: ${lines.join(', then ')}`]),
    ...(coalesce ? ['  identical GETs and HEADs in flight share one call'] : []),
  ]
}

const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`

function stateOf({ endpoints, limit, budget, stale }: UpstreamSnapshot): string[] {
  return [
    ...endpoints.map(({ origin, circuit, why, probeIn, heldPaths, calls, failureRate }) =>
      `  ${origin}: circuit ${circuit} (${why}), ${percent(failureRate)} of ${calls} calls in the window failed`
      + (probeIn === undefined ? '' : `, next probe in ${Math.ceil(probeIn)} ms at the latest`)
      + (heldPaths === 0 ? '' : `, ${heldPaths} ${heldPaths === 1 ? 'path' : 'paths'} held`)),
    (limit.max === Infinity ? '  no limit; ' : `  limit: ${limit.inFlight} of ${limit.max} permits taken, ${limit.queued} waiting; `)
    + `budget: ${Math.floor(budget.tokens)} of ${budget.capacity} tokens`,
    ...(stale.entries === 0 ? [] : [`  ${stale.entries} last good ${stale.entries === 1 ? 'reply' : 'replies'} kept, ${stale.bytes} bytes`]),
  ]
}
