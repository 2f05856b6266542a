import { OptionError } from '../outcome/errors.ts'
import type { ClientOptions } from './client-options.ts'
import { DEFAULTS, type Policy } from './policy.ts'
import type { NamedUpstreamOptions, UpstreamOptions } from './upstream-options.ts'
import { compileOrigin, parseOrigin, sourceOf, type OriginMatcher } from '../http/origin.ts'
import { mergeOptions, resolve } from './resolve.ts'

/** An upstream that is configured by a name or by its exact origin. */
export interface Configured {
  readonly name: string
  readonly origins: readonly string[]
  readonly options: UpstreamOptions
}

/** A policy, and which options it comes from. */
export interface PolicySource {
  readonly policy: Policy
  /** `defaults`, or e.g. `upstreams['https://*.search.internal']`. */
  readonly source: string
}

interface Pattern extends OriginMatcher {
  readonly options: UpstreamOptions
  readonly source: string
}

/** Options of the client itself; all others are options of its upstreams. */
const CLIENT_ONLY: ReadonlySet<string> =
  new Set(['name', 'upstreams', 'allow', 'maxUpstreams', 'idleTimeout', 'maxStaleSize', 'env'])

/**
 * The policies of a client. Options of a name or exact origin take precedence over those of the longest pattern, and these over
 * the options for all upstreams. All of them are merged and checked when the client is made, so a mistake throws there and not in
 * a call.
 */
export class PolicyTable {
  readonly configured: readonly Configured[]
  readonly #defaults: UpstreamOptions
  readonly #patterns: readonly Pattern[]
  readonly #allowed: readonly OriginMatcher[] | 'any'
  /** One resolved policy for each pattern, shared by all upstreams that match it. */
  readonly #resolved = new Map<string, PolicySource>()

  constructor(options: ClientOptions) {
    this.#defaults = mergeOptions({}, Object.fromEntries(Object.entries(options).filter(([key]) => !CLIENT_ONLY.has(key))))
    const entries = Object.entries(options.upstreams ?? {}).map(([key, value]) => [key, mergeOptions({}, value)] as const)
    this.configured = entries.filter(([key]) => !key.includes('*')).map(([key, value]) => configuredOf(key, value))
    refuseTwice(this.configured)
    this.#patterns = entries.filter(([key]) => key.includes('*')).map(([key, value]) => patternOf(key, value))
      .sort((a, b) => b.pattern.length - a.pattern.length)
    this.#allowed = this.#matchersOf(options.allow ?? DEFAULTS.client.allow)
    this.#resolve(undefined)
    for (const pattern of this.#patterns) this.#resolve(pattern)
    for (const { name, options: own, origins } of this.configured) this.forConfigured(own, sourceOf(name), origins[0] ?? '')
  }

  /** Whether an origin may be called at all. */
  allows(origin: string): boolean {
    return this.#allowed === 'any' || this.#allowed.some(matcher => matcher.matches(origin))
  }

  /** The policy of an origin that is not configured: the longest pattern that matches it, over the defaults. */
  forOrigin(origin: string): PolicySource {
    return this.#resolve(this.#patternOf(origin))
  }

  /**
   * The policy of a configured upstream: its own options, over the longest pattern that matches its first origin, over the
   * defaults.
   * @throws OptionError
   */
  forConfigured(options: UpstreamOptions, source: string, origin: string): PolicySource {
    const { url: _, ...own } = options as NamedUpstreamOptions
    const pattern = this.#patternOf(origin)
    const layers = pattern === undefined ? [this.#defaults, own] : [this.#defaults, pattern.options, own]
    // Upstreams without options of their own share one policy: it takes a sixth of the memory of an idle upstream.
    const policy = Object.keys(own).length === 0 ? this.#resolve(pattern).policy : resolve(layers, source)
    return { policy, source: pattern === undefined ? source : `${source} over ${pattern.source}` }
  }

  #patternOf(origin: string): Pattern | undefined {
    return this.#patterns.find(pattern => pattern.matches(origin))
  }

  #resolve(pattern: Pattern | undefined): PolicySource {
    const source = pattern?.source ?? 'defaults'
    let found = this.#resolved.get(source)
    if (found === undefined) {
      const layers = pattern === undefined ? [this.#defaults] : [this.#defaults, pattern.options]
      found = { policy: resolve(layers, pattern?.source ?? ''), source }
      this.#resolved.set(source, found)
    }
    return found
  }

  #matchersOf(allow: NonNullable<ClientOptions['allow']>): readonly OriginMatcher[] | 'any' {
    if (allow === 'any') return 'any'
    if (allow !== 'configured') return allow.map((pattern, index) => compileOrigin(pattern, `allow[${index}]`))
    const origins = new Set(this.configured.flatMap(({ origins }) => origins))
    return [{ pattern: 'configured', matches: origin => origins.has(origin) }, ...this.#patterns]
  }
}

const hasUrl = (options: UpstreamOptions): options is NamedUpstreamOptions =>
  (options as Partial<NamedUpstreamOptions>).url !== undefined

function configuredOf(key: string, options: UpstreamOptions): Configured {
  const where = sourceOf(key)
  const isOrigin = key.includes('://')
  if (!hasUrl(options)) {
    if (!isOrigin) refuseMissingUrl(where)
    return { name: parseOrigin(key, where), origins: [parseOrigin(key, where)], options }
  }
  if (isOrigin) refuseUrl(where, 'an origin')
  const urls = typeof options.url === 'string' ? [options.url] : options.url
  if (urls.length === 0) throw new OptionError(`${where}.url`, 'an empty array', 'an origin or a non-empty array of origins')
  const origins = urls.map((url, index) => parseOrigin(url, urls.length > 1 ? `${where}.url[${index}]` : `${where}.url`))
  return { name: key, origins, options }
}

function patternOf(key: string, options: UpstreamOptions): Pattern {
  if (hasUrl(options)) refuseUrl(sourceOf(key), 'a pattern')
  return { ...compileOrigin(key, sourceOf(key)), options, source: sourceOf(key) }
}

function refuseMissingUrl(where: string): never {
  const sentence = `\`${where}.url\` is missing: it is required unless the key is an origin or a pattern`
  throw new OptionError(`${where}.url`, 'undefined', 'an origin', sentence)
}

function refuseUrl(where: string, key: string): never {
  const sentence = `\`${where}.url\` must be omitted, because the key is ${key}`
  throw new OptionError(`${where}.url`, 'a url', 'none', sentence)
}

function refuseTwice(configured: readonly Configured[]): void {
  const seen = new Map<string, string>()
  for (const { name, origins } of configured) {
    for (const origin of origins) {
      const other = seen.get(origin)
      if (other !== undefined) {
        const sentence = `\`${sourceOf(name)}\` and \`${sourceOf(other)}\` have the same origin, ${origin}`
        throw new OptionError(sourceOf(name), origin, 'an origin of its own', sentence)
      }
      seen.set(origin, name)
    }
  }
}
