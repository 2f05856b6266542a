import { Circuit } from './circuit/circuit.ts'
import type { Env } from '../clock.ts'
import { Endpoint, Endpoints } from './endpoints/endpoint.ts'
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

/** The last failures an upstream remembers. */
const REMEMBERED = 5
/** Calls may switch retries on even where the upstream has none, so there is always a budget. */
const budgetOf = ({ retry }: Policy): BudgetPolicy => (retry === false ? DEFAULTS.retry.budget : retry.budget)

/** What all upstreams of a client have in common. */
export interface Shared {
  readonly env: Env
  readonly events: ConnectionEvents
}

/**
 * All that lives long about one upstream: its endpoints with their circuits and connections, its limit and its budget.
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
  /** What it has in the cache of last good replies. */
  readonly staleUsage = { entries: 0, bytes: 0 }
  #settings: SettingsCache
  readonly #shared: Shared
  readonly #errors: { at: number; error: Pick<UpstreamError, 'code' | 'message'> }[] = []
  #failures = 0
  #drained: (() => void) | undefined
  #released = false

  constructor(name: string, origins: readonly string[], policy: Policy, shared: Shared, configured = false) {
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

  /** On what terms its calls are made. */
  get settings(): SettingsCache {
    return this.#settings
  }

  /** Whether it must not be forgotten: calls are in flight, or a circuit holds something worth remembering. */
  get pinned(): boolean {
    return this.active > 0 || this.endpoints.all.some(({ circuit }) => circuit?.busy === true)
  }

  /** Whether nothing is lost with it once it has been idle for long: no call is in flight, and its circuits refuse none. */
  isSpent(now: number): boolean {
    return this.active === 0 && this.endpoints.all.every(endpoint => endpoint.admits(now))
  }

  /** Counts a call that has begun. */
  began(at: number): void {
    this.active++
    this.lastUsed = at
  }

  /** Counts a call that has ended. */
  ended(): void {
    this.active--
    if (this.active === 0) this.#drained?.()
  }

  /** Remembers a failure, for whoever asks what is the matter; the oldest makes room. */
  remember(error: UpstreamError, at: number): void {
    // A StatusError holds on to the body of its reply, so its words are kept; others put theirs together when asked.
    const kept = error instanceof StatusError ? { code: error.code, message: error.message } : error
    this.#errors[this.#failures++ % REMEMBERED] = { at, error: kept }
  }

  /** Takes a new policy; circuits, windows, budget and connections stay. */
  tune(policy: Policy): void {
    this.#settings = settingsFor(policy)
    this.capacity.tune(policy.limit, this.#shared.env.clock.now())
    this.budget.tune(budgetOf(policy))
    for (const endpoint of this.endpoints.all) {
      if (policy.breaker === false) {
        endpoint.circuit?.shutdown()
        endpoint.circuit = undefined
      } else if (endpoint.circuit === undefined) endpoint.circuit = this.#circuit(endpoint.origin, policy.breaker)
      else endpoint.circuit.tune(policy.breaker)
    }
  }

  /** Finishes what is in flight, then closes the connections. No new calls after this. */
  async drain(): Promise<void> {
    this.draining = true
    if (this.active > 0) await new Promise<void>(resolve => { this.#drained = resolve })
    await Promise.all(this.endpoints.all.map(({ pool }) => pool.close()))
    this.#release()
  }

  /** Ends everything now. */
  async destroy(): Promise<void> {
    this.draining = true
    for (const call of this.backingOff.all()) call.interrupt(new DrainingError(call.trace))
    await Promise.all(this.endpoints.all.map(({ pool }) => pool.destroy()))
    this.#release()
  }

  snapshot(): UpstreamSnapshot {
    const now = this.#shared.env.clock.now()
    const { permits } = this.capacity
    return {
      name: this.name,
      configured: this.configured,
      endpoints: this.endpoints.all.map(endpoint => snapshotOf(endpoint, now)),
      limit: { max: permits.max, inFlight: permits.taken, queued: permits.queued },
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

  /** Once, though it may have been drained and then destroyed. */
  #release(): void {
    if (this.#released) return
    this.#released = true
    for (const { circuit } of this.endpoints.all) circuit?.shutdown()
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
