import type { Env } from '../clock.ts'
import { DrainingError, LimitExceededError, OptionError } from '../outcome/errors.ts'
import { publishRefused } from '../events.ts'
import { explanation, type Explanation } from './explain.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { DEFAULTS, type Policy } from '../options/policy.ts'
import { listed, suggest } from '../options/nearest.ts'
import { describeValue, isShowable, refuse } from '../options/refuse.ts'
import { checkUpstream } from '../options/schema.ts'
import type { UpstreamOptions } from '../options/upstream-options.ts'
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
    if (!this.#table.allows(origin)) refuseOrigin(origin)
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
      if (Object.hasOwn(options, fixed)) {
        const option = `${where}.${fixed}`
        throw new OptionError(option, 'a change at runtime', 'set when the client is made', `\`${option}\` cannot be changed at runtime`)
      }
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
    refuseUnknown(name, [...this.#byName.keys()])
  }
}

function refuseOrigin(origin: string): never {
  const sentence = `origin ${origin} may not be called: the \`allow\` option does not permit it`
  throw new OptionError('url', origin, 'an origin that the `allow` option permits', sentence)
}

function refuseUnknown(name: unknown, known: readonly string[]): never {
  if (typeof name !== 'string') refuse('upstream', name, 'the name or origin of an upstream')
  const given = describeValue(name)
  const hint = known.length === 0 ? 'none is configured' : suggest(name, known, meant => `'${meant}'`)
  const sentence = `unknown upstream ${isShowable(name) ? given : `(${given})`}: ${hint}`
  throw new OptionError('upstream', given, known.length === 0 ? 'a configured upstream' : listed(known), sentence)
}
