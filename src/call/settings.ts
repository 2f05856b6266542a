import type { HeaderFields } from '../http/headers.ts'
import { isIdempotent } from '../http/methods.ts'
import { DEFAULTS, type HedgePolicy, type Policy, type RetryPolicy } from '../options/policy.ts'
import { refuse } from '../options/refuse.ts'
import type { Priority } from '../options/upstream-options.ts'
import type { CallOptions } from '../options/call-options.ts'
import type { Request } from './request.ts'

/** How a call is to be treated: as the policy of its upstream says, unless it says otherwise. One object for many calls. */
export interface CallSettings {
  readonly policy: Policy
  /** Whether sending it twice asks for no more than sending it once. */
  readonly idempotent: boolean
  /** Whether the body of the reply is handed over as a stream. */
  readonly streamed: boolean
  /** Whether a coded body of the reply is decoded. */
  readonly decode: boolean
  /** Whether a status of 400 or more ends it in an error. */
  readonly throwing: boolean
  /** Longest body of the reply, in bytes after decoding. */
  readonly maxBodySize: number
  /** Longest time it may take, in ms. */
  readonly deadline: number
  /** Longest time an attempt may take, in ms; a probe's may be shorter. */
  readonly attemptTimeout: number
  readonly retry: RetryPolicy | false
  /** How much it matters when there are not enough permits. */
  readonly priority: Priority
  /** When it gets a second attempt beside a slow one. */
  readonly hedge: HedgePolicy | false
}

/** Methods whose terms are kept; a caller may use any token for one. */
const METHODS = 16

/** The terms of calls under one policy. Most calls say nothing of their own, so that those of a method share theirs. */
export class SettingsCache {
  readonly policy: Policy
  readonly #plain = new Map<string, CallSettings>()
  #relayed: CallSettings | undefined
  #relayedOnce: CallSettings | undefined

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** @throws OptionError for options that contradict one another */
  of(request: Request): CallSettings {
    const { method, headers, options, streamed } = request
    const isOwn = streamed || hasKey(headers) || !changesNothing(options)
    const known = isOwn ? undefined : this.#plain.get(method)
    if (known !== undefined) return known
    const made = makeSettings(this.policy, request, methods => isIdempotent(method, hasKey(headers), methods))
    if (!isOwn && this.#plain.size < METHODS) this.#plain.set(method, made)
    return made
  }

  /** Those of what a dispatcher is asked for; `idempotent` says what the method and an idempotency key leave open. */
  ofRelayed(method: string, hasIdempotencyKey: boolean, idempotent: boolean | undefined): CallSettings {
    const { policy } = this
    const byMethod = (): boolean => isIdempotent(method, hasIdempotencyKey, policy.retry === false ? [] : policy.retry.methods)
    if (idempotent ?? byMethod()) return (this.#relayed ??= makeSettings(policy, RELAYED, () => true))
    return (this.#relayedOnce ??= makeSettings(policy, RELAYED, () => false))
  }
}

/** What of a request its settings are made of, besides what makes it idempotent. */
type Given = Pick<Request, 'options' | 'streamed'>

/** What a dispatcher's caller gets is the response as it is, and two of them can't both be handed through. */
const RELAYED: Given = { streamed: true, options: { decode: false, throwOnStatus: false, hedge: false } }

const byPolicy = new WeakMap<Policy, SettingsCache>()

/** The terms under a policy: one object for all upstreams that share it. */
export function settingsFor(policy: Policy): SettingsCache {
  const found = byPolicy.get(policy) ?? new SettingsCache(policy)
  byPolicy.set(policy, found)
  return found
}

const hasKey = (headers: HeaderFields | undefined): boolean => headers?.['idempotency-key'] !== undefined

/** Whether options change none of the terms. */
const changesNothing = (own: CallOptions): boolean =>
  own.retry === undefined && own.deadline === undefined && own.attemptTimeout === undefined && own.priority === undefined
  && own.throwOnStatus === undefined && own.maxBodySize === undefined && own.decode === undefined && own.hedge === undefined

function makeSettings(
  policy: Policy, { options, streamed }: Given, isIdempotent: (optedIn: readonly string[]) => boolean,
): CallSettings {
  const retry = options.retry === undefined ? policy.retry : retryOf(options.retry, policy.retry)
  const deadline = options.deadline ?? policy.deadline
  return {
    policy, streamed, retry, deadline,
    idempotent: isIdempotent(retry === false ? [] : retry.methods),
    decode: options.decode !== false,
    throwing: options.throwOnStatus ?? policy.throwOnStatus,
    priority: options.priority ?? policy.priority,
    hedge: options.hedge === false ? false : policy.hedge,
    // A stream is not held in memory, so it has no bound unless the call sets one.
    maxBodySize: options.maxBodySize ?? (streamed ? Infinity : policy.maxBodySize),
    attemptTimeout: attemptTimeoutOf(options, deadline, policy),
  }
}

function attemptTimeoutOf({ attemptTimeout }: CallOptions, actual: number, policy: Policy): number {
  if (attemptTimeout === undefined) return Math.min(policy.attemptTimeout, actual)
  if (attemptTimeout > actual) refuse('attemptTimeout', attemptTimeout, `at most the deadline of ${actual} ms`)
  return attemptTimeout
}

function retryOf(own: NonNullable<CallOptions['retry']>, policy: RetryPolicy | false): RetryPolicy | false {
  if (own === false) return false
  const base = policy === false ? DEFAULTS.retry : policy
  const { limit = base.limit, statuses = base.statuses, methods = base.methods } = own
  return { ...base, limit, statuses, methods: methods.map(method => method.toUpperCase()) }
}
