import type { Env } from '../clock.ts'
import { DrainingError, LimitExceededError, OptionError } from '../outcome/errors.ts'
import { tellRefused } from '../events.ts'
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

/** An upstream somebody configured, with what they said of it; it is never forgotten. */
interface Entry {
  readonly upstream: Upstream
  options: UpstreamOptions
  source: PolicySource
}

/**
 * Every upstream of a client: those configured by name or origin, which stay, and the bounded registry of all others.
 */
export class Upstreams {
  /** What becomes of the connections of them all. */
  readonly events: ConnectionEvents = new ConnectionEvents()
  readonly #env: Env
  readonly #shared: Shared
  readonly #max: number
  readonly #table: PolicyTable
  readonly #dynamic: DynamicUpstreams
  readonly #following = new Set<Promise<Reply>>()
  #closing = false
  #destroyed = false
  readonly #byName = new Map<string, Entry>()
  readonly #byOrigin = new Map<string, Upstream>()

  constructor(options: ClientOptions, env: Env) {
    this.#env = env
    this.#shared = { env, events: this.events }
    this.#max = options.maxUpstreams ?? DEFAULTS.client.maxUpstreams
    this.#table = new PolicyTable(options)
    this.#dynamic = new DynamicUpstreams(this.#max, options.idleTimeout ?? DEFAULTS.client.idleTimeout, env)
    for (const { name, origins, options: own } of this.#table.configured) this.#add(name, origins, own)
  }

  /** The upstream of an origin if there is one already; there is none for an origin that may not be called. */
  known(origin: string): Upstream | undefined {
    return this.#byOrigin.get(origin) ?? this.#dynamic.get(origin)
  }

  /**
   * The upstream of an origin, made if need be. @throws OptionError when it is not allowed, LimitExceededError when
   * there are too many.
   */
  at(origin: string, method: string, target: string): Upstream {
    if (!this.#table.allows(origin)) refuseOrigin(origin)
    const found = this.known(origin)
    if (found !== undefined) return found
    const made = this.#dynamic.add(origin, () =>
      new Upstream(origin, [origin], this.#table.forOrigin(origin).policy, this.#shared))
    if (made !== undefined) return made
    const trace = new Trace(origin, method, target, this.#env.clock.now())
    trace.mark('refused: no place for another upstream', trace.startedAt)
    const error = new LimitExceededError(trace, 'upstreams', this.#max)
    tellRefused(this.#env, origin, method, error)
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

  /** Lays options over an upstream's own; all or nothing. @throws OptionError */
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

  /** What would happen to a call of an origin, and why. */
  explain(origin: string): Explanation {
    const upstream = this.known(origin)
    const entry = upstream === undefined ? undefined : this.#byName.get(upstream.name)
    return explanation(
      upstream?.name ?? origin, origin, this.allows(origin),
      entry?.source ?? this.#table.forOrigin(origin), upstream?.snapshot(),
    )
  }

  /** All there are now. */
  all(): Upstream[] {
    return [...[...this.#byName.values()].map(({ upstream }) => upstream), ...this.#dynamic.all()]
  }

  /** Whether an upstream takes calls. */
  isOpen(upstream: Upstream): boolean {
    return !this.#closing && !upstream.draining
  }

  /** Whether all has been ended, so that nothing may follow what is still in flight. */
  get destroyed(): boolean {
    return this.#destroyed
  }

  /** The refusal of a call that comes when none are taken any more. */
  refuseDraining(upstream: Upstream, method: string, target: string): DrainingError {
    const trace = new Trace(upstream.name, method, target, this.#env.clock.now())
    trace.mark('refused: draining', trace.startedAt)
    const error = new DrainingError(trace)
    tellRefused(this.#env, upstream.name, method, error)
    return error
  }

  /** Calls that follow one another, and may yet need an upstream that is idle now: `close()` waits for their end. */
  whileFollowing(chain: Promise<Reply>): Promise<Reply> {
    const forget = (): void => { this.#following.delete(chain) }
    this.#following.add(chain)
    chain.then(forget, forget)
    return chain
  }

  /** Takes no new calls, finishes what is in flight everywhere, then closes all connections. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.allSettled(this.#following)
    await Promise.all([this.#dynamic.drain(), ...[...this.#byName.values()].map(({ upstream }) => upstream.drain())])
  }

  /** Takes no new calls, and ends everything now. */
  async destroy(): Promise<void> {
    this.#closing = this.#destroyed = true
    await Promise.all([this.#dynamic.destroy(), ...[...this.#byName.values()].map(({ upstream }) => upstream.destroy())])
  }

  #add(name: string, origins: readonly string[], options: UpstreamOptions): void {
    const source = this.#table.forConfigured(options, sourceOf(name), origins[0] ?? '')
    const upstream = new Upstream(name, origins, source.policy, this.#shared, true)
    this.#byName.set(name, { upstream, options, source })
    // One that `allow` leaves out can be called by its name only.
    for (const origin of origins) if (this.allows(origin)) this.#byOrigin.set(origin, upstream)
  }

  #entry(name: string): Entry {
    // One configured by its origin is known by that as the URL standard writes it.
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
