import type { HeaderFields } from '../http/headers.ts'
import { isIdempotent } from '../http/methods.ts'
import type { CallOptions } from '../options/call-options.ts'
import { ownCopy } from '../options/own-properties.ts'
import { DEFAULTS, type Policy, type RetryPolicy } from '../options/policy.ts'
import { refuse } from '../options/refuse.ts'
import { NO_OPTIONS, type Request } from './request.ts'

/** Options of a call that the outer layers read from its request. */
type Outer = 'redirects' | 'coalesce' | 'stale' | 'fallback'
/** Options that do not change the settings of the call: those, and what is sent. */
const UNRELATED: ReadonlySet<string> = new Set([
  'redirects', 'coalesce', 'stale', 'fallback', 'query', 'headers', 'json', 'body', 'signal', 'idempotencyKey',
])

/** How a call is treated: by the policy of its upstream, unless its own options differ. One object serves many calls. */
export interface CallSettings extends Pick<Policy, Exclude<keyof CallOptions & keyof Policy, Outer | 'headers'>> {
  readonly policy: Policy
  /** Whether sending it twice has the same effect as sending it once. */
  readonly idempotent: boolean
  /** Whether the body of the reply is delivered as a stream. */
  readonly streamed: boolean
  /** Whether a compressed body of the reply is decoded. */
  readonly decode: boolean
}

/** The part of a request that its settings depend on, besides its idempotence. */
type Given = Pick<Request, 'options' | 'streamed'>

/** The caller of a dispatcher gets the response as received; of two attempts, only one could be passed on. */
const RELAYED: Given = { streamed: true, options: ownCopy({ decode: false, throwOnStatus: false, hedge: false }) }

/** Methods whose settings are kept; a caller may use any token as a method. */
const METHODS = 16

/** The settings of calls under one policy. Most calls have no options of their own, so all calls of a method share one object. */
export class SettingsCache {
  readonly policy: Policy
  readonly #byMethod = new Map<string, CallSettings>()
  #relayed: CallSettings | undefined
  #relayedOnce: CallSettings | undefined

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** @throws OptionError for options that contradict one another */
  of(request: Request): CallSettings {
    const { method, headers, options, streamed } = request
    const isOwn = streamed || hasKey(headers) || (options !== NO_OPTIONS && !changesNothing(options))
    const known = isOwn ? undefined : this.#byMethod.get(method)
    if (known !== undefined) return known
    const made = makeSettings(this.policy, request, methods => isIdempotent(method, hasKey(headers), methods))
    if (!isOwn && this.#byMethod.size < METHODS) this.#byMethod.set(method, made)
    return made
  }

  /** Those of a dispatcher's request; `idempotent` decides what the method and an idempotency key leave open. */
  ofRelayed(method: string, hasIdempotencyKey: boolean, idempotent: boolean | undefined): CallSettings {
    const { policy } = this
    const byMethod = (): boolean => isIdempotent(method, hasIdempotencyKey, policy.retry === false ? [] : policy.retry.methods)
    if (idempotent ?? byMethod()) return (this.#relayed ??= makeSettings(policy, RELAYED, () => true))
    return (this.#relayedOnce ??= makeSettings(policy, RELAYED, () => false))
  }
}

const byPolicy = new WeakMap<Policy, SettingsCache>()

/** The settings under a policy: one cache for all upstreams that share the policy. */
export function settingsFor(policy: Policy): SettingsCache {
  const found = byPolicy.get(policy) ?? new SettingsCache(policy)
  byPolicy.set(policy, found)
  return found
}

const hasKey = (headers: HeaderFields | undefined): boolean =>
  headers !== undefined && Object.hasOwn(headers, 'idempotency-key') && headers['idempotency-key'] !== undefined

/** Options inherit nothing, so this looks at what is given only. */
function changesNothing(own: CallOptions): boolean {
  for (const name in own) if (!UNRELATED.has(name) && own[name as keyof CallOptions] !== undefined) return false
  return true
}

function makeSettings(
  policy: Policy, { options, streamed }: Given, isIdempotent: (optedIn: readonly string[]) => boolean,
): CallSettings {
  const retry = options.retry === undefined ? policy.retry : retryOf(options.retry, policy.retry)
  const deadline = options.deadline ?? policy.deadline
  return {
    policy, streamed, retry, deadline,
    idempotent: isIdempotent(retry === false ? [] : retry.methods),
    decode: options.decode !== false,
    throwOnStatus: options.throwOnStatus ?? policy.throwOnStatus,
    priority: options.priority ?? policy.priority,
    hedge: options.hedge ?? policy.hedge,
    // A stream is not held in memory, so it has no bound unless the call sets one.
    maxBodySize: options.maxBodySize ?? (streamed ? Infinity : policy.maxBodySize),
    attemptTimeout: attemptTimeoutOf(options, deadline, policy),
  }
}

function attemptTimeoutOf({ attemptTimeout }: CallOptions, deadline: number, policy: Policy): number {
  if (attemptTimeout === undefined) return Math.min(policy.attemptTimeout, deadline)
  if (attemptTimeout > deadline) refuse('attemptTimeout', attemptTimeout, `at most the deadline (${deadline} ms)`)
  return attemptTimeout
}

function retryOf(own: NonNullable<CallOptions['retry']>, policy: RetryPolicy | false): RetryPolicy | false {
  if (own === false) return false
  const base = policy === false ? DEFAULTS.retry : policy
  const { limit = base.limit, statuses = base.statuses, methods = base.methods } = ownCopy(own)
  return { ...base, limit, statuses, methods: methods.map(method => method.toUpperCase()) }
}
