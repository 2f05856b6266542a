import type { EndpointSnapshot, RememberedError, UpstreamSnapshot } from '../upstream/snapshot.ts'
import type { HealthSettings } from './options.ts'

/** `pass`: healthy. `warn`: working, with problems. `fail`: do not send requests to it. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** A concurrency limit in a health report. */
export interface LimitHealth {
  /** The current limit on calls in flight; null without a limit. */
  readonly max: number | null
  /** Calls in flight. */
  readonly inFlight: number
  /** Calls that wait for a permit. */
  readonly queued: number
}

/** An upstream in a health report. */
export interface UpstreamHealth {
  /** Its name, or its origin if it has none. */
  readonly name: string
  /** `fail` if none of its endpoints admits calls, `warn` if one does not, or if the limit is reached and calls are waiting. */
  readonly status: HealthStatus
  /** Whether it can make this replica unready. */
  readonly critical: boolean
  /** Its addresses and their circuits. */
  readonly endpoints: readonly Pick<EndpointSnapshot, 'origin' | 'circuit' | 'why' | 'probeIn'>[]
  /** Its concurrency limit and the calls in flight. */
  readonly limit: LimitHealth
  /** Share of the limit that is in use, 0–1; null without a limit. */
  readonly saturation: number | null
  /** The most recent failures, oldest first; only with the option `errors`. */
  readonly errors?: readonly RememberedError[]
}

/** The health of a replica, in the format of draft-inadarei-api-health-check-06. */
export interface HealthReport {
  /** The overall status. */
  readonly status: HealthStatus
  /** Why the status is `fail`. */
  readonly output?: string
  /** The upstreams, the worst first. */
  readonly upstreams?: readonly UpstreamHealth[]
  /** How many further upstreams were left out. */
  readonly omitted?: number
}

const SEVERITY: Readonly<Record<HealthStatus, number>> = { fail: 0, warn: 1, pass: 2 }

/** Whether an endpoint refuses calls. An open circuit that will admit the next call as its probe refuses none. */
function statusOf({ circuit, probeIn }: EndpointSnapshot): HealthStatus {
  switch (circuit) {
    case 'isolated': case 'half-open': return 'fail'
    case 'open': return probeIn === undefined ? 'warn' : 'fail'
    default: return probeIn === undefined ? 'pass' : 'warn'
  }
}

/** Whether no endpoint of an upstream admits calls; not if all of them were isolated by hand. */
export const refuses = ({ endpoints }: UpstreamSnapshot): boolean =>
  endpoints.every(endpoint => statusOf(endpoint) === 'fail') && endpoints.some(({ circuit }) => circuit !== 'isolated')

function healthOf(snapshot: UpstreamSnapshot, settings: HealthSettings, critical: boolean): UpstreamHealth {
  const { name, limit: { max, inFlight, queued } } = snapshot
  const statuses = snapshot.endpoints.map(statusOf)
  const saturation = max === Infinity ? null : Math.min(1, inFlight / max)
  const isHealthy = statuses.every(status => status === 'pass') && !(queued > 0 && saturation === 1)
  return {
    name, critical, saturation,
    status: statuses.every(status => status === 'fail') ? 'fail' : isHealthy ? 'pass' : 'warn',
    endpoints: snapshot.endpoints.map(({ origin, circuit, why, probeIn }) =>
      ({ origin, circuit, why, probeIn: probeIn === undefined ? undefined : Math.ceil(probeIn) })),
    limit: { max: max === Infinity ? null : max, inFlight, queued },
    ...(settings.errors ? { errors: snapshot.lastErrors } : {}),
  }
}

/**
 * Composes a report; `output` is why the replica is unready, if it is. The number of upstreams is bounded, as callers may be able
 * to choose the origins that are called.
 */
export function reportOf(
  snapshots: readonly UpstreamSnapshot[], output: string | undefined, critical: ReadonlySet<string>,
  settings: HealthSettings,
): HealthReport {
  const all = snapshots.map(snapshot => healthOf(snapshot, settings, critical.has(snapshot.name)))
    .sort((a, b) => SEVERITY[a.status] - SEVERITY[b.status])
  const status = output !== undefined ? 'fail' : all.every(upstream => upstream.status === 'pass') ? 'pass' : 'warn'
  if (!settings.details) return { status }
  const upstreams = all.slice(0, settings.maxUpstreams)
  return { status, ...(output === undefined ? {} : { output }), upstreams, omitted: all.length - upstreams.length }
}
