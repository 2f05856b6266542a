import type { Env } from '../clock.ts'
import { DrainingError, LimitExceededError, OptionError } from '../outcome/errors.ts'
import { publishRefused } from '../events.ts'
import { explanation, type Explanation } from './explain.ts'
import { checkUpstream, DEFAULTS, describe, type ClientOptions, type Policy, type UpstreamOptions } from '../options/options.ts'
import { sourceOf } from '../http/origin.ts'
import { PolicyTable, type PolicySource } from '../options/policy-table.ts'
import { mergeOptions } from '../options/resolve.ts'
import { ConnectionEvents } from '../transport/connection-events.ts'
import { DynamicUpstreams } from './dynamic-upstreams.ts'
import type { Reply } from '../outcome/reply.ts'
import { Trace } from '../outcome/trace.ts'
import { Upstream, type Shared } from './upstream.ts'

/** A configured upstream with its options; it is never removed. */
interface ConfiguredUpstream {
  readonly upstream: Upstream
  options: UpstreamOptions
  source: PolicySource
}

/**
 * All upstreams of a client: those configured by name or origin, which stay, and the bounded set of all others.
 */
export class Upstreams {
  /** The events of their connections. */
  readonly events: ConnectionEvents = new ConnectionEvents()
  readonly #env: Env
  readonly #shared: Shared
  readonly #max: number
  readonly #table: PolicyTable
  readonly #dynamic: DynamicUpstreams
  /** Chains of redirects that are being followed. */
  readonly #following = new Set<Promise<Reply>>()
  #closing = false
  #destroyed = false
  readonly #byName = new Map<string, ConfiguredUpstream>()
  readonly #byOrigin = new Map<string, Upstream>()

  constructor(options: ClientOptions, env: Env) {
    this.#env = env
    this.#shared = { env, events: this.events }
    this.#max = options.maxUpstreams ?? DEFAULTS.client.maxUpstreams
    this.#table = new PolicyTable(options)
    this.#dynamic = new DynamicUpstreams(this.#max, options.idleTimeout ?? DEFAULTS.client.idleTimeout, env)
    for (const { name, origins, options: own } of this.#table.configured) this.#add(name, origins, own)
  }

  /** The upstream of an origin, if it exists; none exists for an origin that `allow` does not permit. */
  known(origin: string): Upstream | undefined {
    return this.#byOrigin.get(origin) ?? this.#dynamic.get(origin)
  }

  /**
   * The upstream of an origin, created if necessary. @throws OptionError when `allow` does not permit it, LimitExceededError
   * when there are too many upstreams.
   */
  at(origin: string, method: string, target: string): Upstream {
    if (!this.#table.allows(origin)) throw new OptionError('url', origin, 'an origin that the option allow permits')
    const found = this.known(origin)
    if (found !== undefined) return found
    const created = this.#dynamic.add(origin, () => {
      const { policy } = this.#table.forOrigin(origin)
      return new Upstream({ name: origin, origins: [origin], policy, configured: false }, this.#shared)
    })
    if (created !== undefined) return created
    const trace = new Trace(origin, method, target, this.#env.clock.now())
    trace.mark('refused: too many upstreams', trace.startedAt)
    const error = new LimitExceededError(trace, 'upstreams', this.#max)
    publishRefused(this.#env, origin, method, error)
    throw error
  }

  /** Whether `allow` permits an origin. */
  allows(origin: string): boolean {
    return this.#table.allows(origin)
  }

  /** The upstream configured by a name or origin. @throws OptionError */
  named(name: string): Upstream {
    return this.#entry(name).upstream
  }

  /** Overrides options of an upstream; all or nothing. @throws OptionError */
  configure(name: string, options: UpstreamOptions): void {
    const entry = this.#entry(name)
    const where = sourceOf(entry.upstream.name)
    checkUpstream(options, where)
    for (const fixed of ['pool', 'url'] as const) {
      if (!Object.hasOwn(options, fixed)) continue
      const message = `${where}.${fixed} cannot be changed at runtime; set it when the client is created`
      throw new OptionError(`${where}.${fixed}`, 'a change at runtime', 'a value set when the client is created', message)
    }
    const merged = mergeOptions(entry.options, options)
    const source = this.#table.forConfigured(merged, where, entry.upstream.endpoints.all[0]?.origin ?? '')
    entry.options = merged
    entry.source = source
    entry.upstream.tune(source.policy)
  }

  /** The policy that applies to an origin now. */
  policyOf(origin: string): Policy {
    return this.known(origin)?.policy ?? this.#table.forOrigin(origin).policy
  }

  /** What would happen to a call to an origin, and why. */
  explain(origin: string): Explanation {
    const upstream = this.known(origin)
    const entry = upstream === undefined ? undefined : this.#byName.get(upstream.name)
    return explanation(
      { upstream: upstream?.name ?? origin, origin, allowed: this.allows(origin), snapshot: upstream?.snapshot() },
      entry?.source ?? this.#table.forOrigin(origin),
    )
  }

  /** All current upstreams. */
  all(): Upstream[] {
    return [...[...this.#byName.values()].map(({ upstream }) => upstream), ...this.#dynamic.all()]
  }

  /** Whether an upstream takes calls. */
  isOpen(upstream: Upstream): boolean {
    return !this.#closing && !upstream.draining
  }

  /** Whether the client has been destroyed, so that no redirect may be followed any more. */
  get destroyed(): boolean {
    return this.#destroyed
  }

  /** The refusal of a call that arrives while draining. */
  refuseDraining(upstream: Upstream, method: string, target: string): DrainingError {
    const trace = new Trace(upstream.name, method, target, this.#env.clock.now())
    trace.mark('refused: draining', trace.startedAt)
    const error = new DrainingError(trace)
    publishRefused(this.#env, upstream.name, method, error)
    return error
  }

  /** Registers a chain of redirects, which may still need an upstream that is idle now: `close()` waits for its end. */
  trackRedirects(chain: Promise<Reply>): Promise<Reply> {
    const forget = (): void => { this.#following.delete(chain) }
    this.#following.add(chain)
    chain.then(forget, forget)
    return chain
  }

  /** Takes no new calls, finishes those in flight, then closes all connections. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.allSettled(this.#following)
    await Promise.all([this.#dynamic.drain(), ...[...this.#byName.values()].map(({ upstream }) => upstream.drain())])
  }

  /** Takes no new calls, ends those in flight and closes all connections now. */
  async destroy(): Promise<void> {
    this.#closing = this.#destroyed = true
    await Promise.all([this.#dynamic.destroy(), ...[...this.#byName.values()].map(({ upstream }) => upstream.destroy())])
  }

  #add(name: string, origins: readonly string[], options: UpstreamOptions): void {
    const source = this.#table.forConfigured(options, sourceOf(name), origins[0] ?? '')
    const upstream = new Upstream({ name, origins, policy: source.policy, configured: true }, this.#shared)
    this.#byName.set(name, { upstream, options, source })
    // An upstream that `allow` does not permit can only be called by its name.
    for (const origin of origins) if (this.allows(origin)) this.#byOrigin.set(origin, upstream)
  }

  #entry(name: string): ConfiguredUpstream {
    // An upstream configured by its origin is known by the origin as the URL standard serialises it.
    const entry = this.#byName.get(name) ?? this.#byName.get(URL.canParse(name) ? new URL(name).origin : '')
    if (entry !== undefined) return entry
    const known = [...this.#byName.keys()].join(', ')
    const given = describe(name)
    const message = `unknown upstream ${given}: ${known === '' ? 'none is configured' : `expected one of ${known}`}`
    throw new OptionError('upstream', given, known === '' ? 'a configured upstream' : `one of ${known}`, message)
  }
}
