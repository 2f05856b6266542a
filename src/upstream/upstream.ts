import type { BreakerView } from './circuit/breaker-view.ts'
import { Circuit } from './circuit/circuit.ts'
import { viewOf } from './circuit/opossum-view.ts'
import type { Env } from '../clock.ts'
import { Endpoint } from './endpoints/endpoint.ts'
import { Endpoints } from './endpoints/endpoints.ts'
import { DrainingError, StatusError, type UpstreamError } from '../outcome/errors.ts'
import { channels, type UpstreamEvent } from '../events.ts'
import { DEFAULTS, type BudgetPolicy, type Policy } from '../options/policy.ts'
import type { UpstreamState } from './of-call.ts'
import { Budget } from './retry-budget.ts'
import { Limit } from './limit/limit.ts'
import type { Percentile } from './latency/percentile.ts'
import { settingsFor, type SettingsCache } from '../call/settings.ts'
import type { ConnectionEvents } from '../transport/connection-events.ts'
import { EndpointPool } from '../transport/pool.ts'
import { BackingOff } from '../call/backing-off.ts'
import { snapshotOf, type UpstreamSnapshot } from './snapshot.ts'

/** How many failures an upstream remembers. */
const REMEMBERED = 5
/** A call may enable retries even if the upstream's policy has none, so there is always a budget. */
const budgetOf = ({ retry }: Policy): BudgetPolicy => (retry === false ? DEFAULTS.retry.budget : retry.budget)

/** What all upstreams of a client share. */
export interface Shared {
  readonly env: Env
  readonly events: ConnectionEvents
}

/** What an upstream is created from. */
export interface UpstreamInit {
  readonly name: string
  readonly origins: readonly string[]
  readonly policy: Policy
  readonly configured: boolean
}

/**
 * The long-lived state of one upstream: its endpoints with their circuits and connections, its limit and its budget.
 */
export class Upstream implements UpstreamState {
  readonly name: string
  readonly configured: boolean
  readonly endpoints: Endpoints
  /** When it was last called, on the monotonic clock. */
  lastUsed: number
  /** Calls not yet ended. */
  active = 0
  draining = false
  readonly capacity: Limit
  readonly budget: Budget
  readonly backingOff: BackingOff = new BackingOff()
  latencies: Percentile | undefined = undefined
  /** Its share of the stale cache. */
  readonly staleUsage = { entries: 0, bytes: 0 }
  #settings: SettingsCache
  readonly #shared: Shared
  readonly #errors: { at: number; error: Pick<UpstreamError, 'code' | 'message'> }[] = []
  #failures = 0
  #drained: (() => void) | undefined
  #released = false

  constructor({ name, origins, policy, configured }: UpstreamInit, shared: Shared) {
    this.name = name
    this.configured = configured
    this.#shared = shared
    this.#settings = settingsFor(policy)
    this.lastUsed = shared.env.clock.now()
    this.endpoints = new Endpoints(origins.map(origin => this.#endpoint(origin, policy)), shared.env)
    this.capacity = new Limit(policy.limit, this.endpoints)
    this.budget = new Budget(budgetOf(policy))
    if (channels.upstreamMade.hasSubscribers) channels.upstreamMade.publish(this.#event)
  }

  get env(): Env {
    return this.#shared.env
  }

  get policy(): Policy {
    return this.#settings.policy
  }

  /** The settings of its calls. */
  get settings(): SettingsCache {
    return this.#settings
  }

  /** Whether it must not be evicted: it has calls, or a circuit with state worth keeping. */
  get pinned(): boolean {
    return this.active > 0 || this.endpoints.all.some(({ circuit }) => circuit?.busy === true)
  }

  /** Whether it may be removed once it is idle: it has no calls, and its circuits refuse none. */
  isRemovable(now: number): boolean {
    return this.active === 0 && this.endpoints.all.every(endpoint => endpoint.admits(now))
  }

  /** Counts a call that has started. */
  began(at: number): void {
    this.active++
    this.lastUsed = at
  }

  /** Counts a call that has ended. */
  ended(): void {
    this.active--
    if (this.active === 0) this.#drained?.()
  }

  /** Records a failure for snapshots, in place of the oldest one. */
  remember(error: UpstreamError, at: number): void {
    // A StatusError retains the body of its reply, so only its message is kept; other errors compose theirs when it is read.
    const recorded = error instanceof StatusError ? { code: error.code, message: error.message } : error
    this.#errors[this.#failures++ % REMEMBERED] = { at, error: recorded }
  }

  /** Applies a new policy; circuits, windows, budget and connections stay. */
  tune(policy: Policy): void {
    this.#settings = settingsFor(policy)
    this.capacity.tune(policy.limit, this.#shared.env.clock.now())
    this.budget.tune(budgetOf(policy))
    for (const endpoint of this.endpoints.all) {
      if (policy.breaker === false) {
        endpoint.circuit?.release()
        endpoint.circuit = undefined
      } else if (endpoint.circuit === undefined) endpoint.circuit = this.#circuit(endpoint.origin, policy.breaker)
      else endpoint.circuit.tune(policy.breaker)
    }
  }

  /** Takes no new calls, finishes those in flight, then closes the connections. */
  async drain(): Promise<void> {
    this.draining = true
    if (this.active > 0) await new Promise<void>(resolve => { this.#drained = resolve })
    try {
      await Promise.all(this.endpoints.all.map(({ pool }) => pool.close()))
    } finally {
      this.#release()
    }
  }

  /** Ends all calls and closes the connections now. */
  async destroy(): Promise<void> {
    this.draining = true
    for (const call of this.backingOff.all()) call.interrupt(new DrainingError(call.trace))
    try {
      await Promise.all(this.endpoints.all.map(({ pool }) => pool.destroy()))
    } finally {
      this.#release()
    }
  }

  /** Its circuits as opossum breakers: one for each endpoint, made when first asked for; none once it is gone. */
  breakers(): BreakerView[] {
    const { env, name: group, policy: { breaker } } = this
    if (this.#released || breaker === false) return []
    return this.endpoints.all.flatMap(({ circuit, origin }) =>
      circuit === undefined ? [] : [viewOf(circuit, { name: origin, group, policy: breaker, env })])
  }

  snapshot(): UpstreamSnapshot {
    const now = this.#shared.env.clock.now()
    const { permits, lent } = this.capacity
    return {
      name: this.name,
      configured: this.configured,
      endpoints: this.endpoints.all.map(endpoint => snapshotOf(endpoint, now)),
      limit: { max: permits.max, inFlight: permits.taken, queued: permits.queued, bodies: lent.bodies },
      budget: { tokens: this.budget.tokens, capacity: this.budget.capacity },
      stale: { ...this.staleUsage },
      active: this.active,
      draining: this.draining,
      lastErrors: this.#errors.toSorted((a, b) => a.at - b.at)
        .map(({ at, error }) => ({ ago: now - at, code: error.code, message: error.message })),
    }
  }

  get #event(): UpstreamEvent {
    return { client: this.#shared.env.client ?? '', upstream: this.name }
  }

  /** Runs once, even if the upstream is drained and then destroyed. */
  #release(): void {
    if (this.#released) return
    this.#released = true
    for (const { circuit } of this.endpoints.all) circuit?.release()
    if (channels.upstreamGone.hasSubscribers) channels.upstreamGone.publish(this.#event)
  }

  #endpoint(origin: string, policy: Policy): Endpoint {
    const circuit = policy.breaker === false ? undefined : this.#circuit(origin, policy.breaker)
    const { env, events } = this.#shared
    return new Endpoint(origin, new EndpointPool(origin, policy.pool, env, events), circuit)
  }

  #circuit(origin: string, policy: Exclude<Policy['breaker'], false>): Circuit {
    return new Circuit(policy, this.#shared.env, (from, to, reason) => {
      if (channels.circuit.hasSubscribers) channels.circuit.publish({ ...this.#event, endpoint: origin, from, to, reason })
    })
  }
}
