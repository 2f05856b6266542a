import type { EndpointSnapshot, RememberedError, UpstreamSnapshot } from '../upstream/snapshot.ts'
import type { HealthSettings } from './options.ts'

/** `pass`: all is well. `warn`: it answers, with concerns. `fail`: do not send it requests. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** A limit, as a health report has it. */
export interface LimitHealth {
  /** Calls that may be in flight now; null without a limit. */
  readonly max: number | null
  /** Calls in flight. */
  readonly inFlight: number
  /** Calls that wait. */
  readonly queued: number
}

/** One upstream, as a health report has it. */
export interface UpstreamHealth {
  /** Its name, or its origin if it has none. */
  readonly name: string
  /** `fail` when none of its endpoints admits calls, `warn` when one does not or it has no room for more calls. */
  readonly status: HealthStatus
  /** Whether it can make this replica unready. */
  readonly critical: boolean
  /** Its addresses and their circuits. */
  readonly endpoints: readonly Pick<EndpointSnapshot, 'origin' | 'circuit' | 'why' | 'probeIn'>[]
  /** How many calls there are, and may be. */
  readonly limit: LimitHealth
  /** Share of its limit that is in use, 0–1; null without a limit. */
  readonly saturation: number | null
  /** The last failures, the oldest first; only when asked for. */
  readonly errors?: readonly RememberedError[]
}

/** What a replica says of itself, in the words of draft-inadarei-api-health-check-06. */
export interface HealthReport {
  /** The status of the whole. */
  readonly status: HealthStatus
  /** Why it is `fail`. */
  readonly output?: string
  /** The upstreams, the worst first. */
  readonly upstreams?: readonly UpstreamHealth[]
  /** How many more there are. */
  readonly omitted?: number
}

const BADNESS: Readonly<Record<HealthStatus, number>> = { fail: 0, warn: 1, pass: 2 }

/** Whether an endpoint refuses calls. An open circuit whose next call will be its probe refuses nobody. */
function statusOf({ circuit, probeIn }: EndpointSnapshot): HealthStatus {
  switch (circuit) {
    case 'isolated': case 'half-open': return 'fail'
    case 'open': return probeIn === undefined ? 'warn' : 'fail'
    default: return probeIn === undefined ? 'pass' : 'warn'
  }
}

/** Whether no endpoint of it admits calls, and not because somebody wanted it so. */
export const refuses = ({ endpoints }: UpstreamSnapshot): boolean =>
  endpoints.every(endpoint => statusOf(endpoint) === 'fail') && endpoints.some(({ circuit }) => circuit !== 'isolated')

function healthOf(snapshot: UpstreamSnapshot, settings: HealthSettings, critical: boolean): UpstreamHealth {
  const { name, limit: { max, inFlight, queued } } = snapshot
  const statuses = snapshot.endpoints.map(statusOf)
  const saturation = max === Infinity ? null : Math.min(1, inFlight / max)
  const fine = statuses.every(status => status === 'pass') && !(queued > 0 && saturation === 1)
  return {
    name, critical, saturation,
    status: statuses.every(status => status === 'fail') ? 'fail' : fine ? 'pass' : 'warn',
    endpoints: snapshot.endpoints.map(({ origin, circuit, why, probeIn }) =>
      ({ origin, circuit, why, probeIn: probeIn === undefined ? undefined : Math.ceil(probeIn) })),
    limit: { max: max === Infinity ? null : max, inFlight, queued },
    ...(settings.errors ? { errors: snapshot.lastErrors } : {}),
  }
}

/**
 * What to say, when `output` is why the replica is unready, if it is. A report holds a bounded number of upstreams: the
 * others may be of origins that callers chose.
 */
export function reportOf(
  snapshots: readonly UpstreamSnapshot[], output: string | undefined, critical: ReadonlySet<string>,
  settings: HealthSettings,
): HealthReport {
  const all = snapshots.map(snapshot => healthOf(snapshot, settings, critical.has(snapshot.name)))
    .sort((a, b) => BADNESS[a.status] - BADNESS[b.status])
  const status = output !== undefined ? 'fail' : all.every(upstream => upstream.status === 'pass') ? 'pass' : 'warn'
  if (!settings.details) return { status }
  const upstreams = all.slice(0, settings.maxUpstreams)
  return { status, ...(output === undefined ? {} : { output }), upstreams, omitted: all.length - upstreams.length }
}
