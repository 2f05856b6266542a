import type { Circuit, Inside } from './clients/client.ts'
import type { Mode, Span } from './phases.ts'

/** When the run begins (on the shared clock) and what happens then. */
export interface Plan {
  readonly start: number
  readonly spans: readonly Span[]
  /** What the upstream does in each span. */
  readonly modes: readonly Mode[]
}

/** Values per column of {@link columnWidth} from column `from` on; earlier ones have been told and no longer change. */
export interface Part<Key extends string> {
  readonly from: number
  readonly columns: Readonly<Record<Key, readonly number[]>>
}

/** What a driver counts per column: calls by the moment they were made. */
export const driverKeys = ['offered', 'good', 'failed'] as const
/** What an upstream counts per column: calls by the moment they came in, and the longest queue. */
export const upstreamKeys = ['reached', 'queued'] as const
/** What a driver sees inside a client that can tell, per column. */
export const insideKeys = ['limit', 'inFlight', 'waiting', 'tokens', 'circuit'] as const satisfies readonly (keyof Inside)[]
/** One of {@link driverKeys}. */
export type DriverKey = typeof driverKeys[number]
/** One of {@link insideKeys}. */
export type InsideKey = typeof insideKeys[number]
/** One of {@link upstreamKeys}. */
export type UpstreamKey = typeof upstreamKeys[number]

/** How long calls of one phase took to fail, in milliseconds. */
export interface Failing {
  readonly count: number
  readonly median: number
  readonly p99: number
}

/** What a model upstream needs to know. */
export interface UpstreamSetup {
  readonly type: 'setup'
  readonly workers: number
  readonly serviceTime: number
}
/** What a driver needs to know. */
export interface DriverSetup {
  readonly type: 'setup'
  readonly client: string
  readonly url: string
  readonly rate: number
  readonly deadline: number
}
/** Begin at the plan's start. */
export interface Begin {
  readonly type: 'begin'
  readonly plan: Plan
}
/** Tell all that was counted, release everything, and end. */
export interface Finish {
  readonly type: 'finish'
}

/** The child is set up; an upstream says where it listens. */
export interface Ready {
  readonly type: 'ready'
  readonly url?: string
}
/** What an upstream has counted; `final` when nothing will be added. */
export interface UpstreamReport {
  readonly type: 'upstream'
  readonly part: Part<UpstreamKey>
  readonly final: boolean
}
/** What a driver has counted. */
export interface DriverReport {
  readonly type: 'driver'
  readonly part: Part<DriverKey>
  /** Told at the end, of a client that can tell. */
  readonly inside?: Part<InsideKey>
  /** One per phase of the plan. */
  readonly failing: readonly Failing[]
  /** Calls per phase that were never made because too many were in flight. */
  readonly dropped: readonly number[]
  /** The longest per phase that a call was made after its time, in milliseconds: how well the schedule was kept. */
  readonly late: readonly number[]
  /** When this was put together, in milliseconds since the start. */
  readonly at: number
  readonly circuit?: Circuit
  readonly final: boolean
}

/** What goes between the parent and a child: `down` to the child, `up` to the parent. */
export interface Channel {
  readonly down: { readonly type: string }
  readonly up: { readonly type: string }
}
/** With a model upstream. */
export interface UpstreamChannel extends Channel {
  readonly down: UpstreamSetup | Begin | Finish
  readonly up: Ready | UpstreamReport
}
/** With a driver. */
export interface DriverChannel extends Channel {
  readonly down: DriverSetup | Begin | Finish
  readonly up: Ready | DriverReport
}
