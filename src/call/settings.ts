import type { Terms } from './call.ts'
import { DEFAULTS, refuse, type HeaderFields, type Policy, type RetryPolicy } from '../options/options.ts'
import type { CallOptions, Request } from './request.ts'
import { isIdempotent } from '../outcome/verdict2.ts'

/** Methods whose terms are kept; a caller may use any token for one. */
const METHODS = 16

/** The terms of calls under one policy. Most calls say nothing of their own, so that those of a method share theirs. */
export class PolicyTerms {
  readonly policy: Policy
  readonly #plain = new Map<string, Terms>()

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** @throws OptionError for options that contradict one another */
  of(request: Request, streamed: boolean): Terms {
    const { method, headers, options } = request
    const isOwn = streamed || hasKey(headers) || !isPlain(options)
    const known = isOwn ? undefined : this.#plain.get(method)
    if (known !== undefined) return known
    const made = termsOf(this.policy, request, streamed)
    if (!isOwn && this.#plain.size < METHODS) this.#plain.set(method, made)
    return made
  }
}

const byPolicy = new WeakMap<Policy, PolicyTerms>()

/** The terms under a policy: one object for all upstreams that share it. */
export function policyTerms(policy: Policy): PolicyTerms {
  const found = byPolicy.get(policy) ?? new PolicyTerms(policy)
  byPolicy.set(policy, found)
  return found
}

const hasKey = (headers: HeaderFields | undefined): boolean => headers?.['idempotency-key'] !== undefined

/** Whether options change none of the terms. */
const isPlain = (own: CallOptions): boolean =>
  own.retry === undefined && own.deadline === undefined && own.attemptTimeout === undefined && own.priority === undefined
  && own.throwOnStatus === undefined && own.maxBodySize === undefined && own.decode === undefined && own.hedge === undefined

function termsOf(policy: Policy, { method, headers, options }: Request, streamed: boolean): Terms {
  const retry = options.retry === undefined ? policy.retry : retryOf(options.retry, policy.retry)
  const deadline = options.deadline ?? policy.deadline
  return {
    policy, streamed, retry, deadline,
    idempotent: isIdempotent(method, hasKey(headers), retry === false ? [] : retry.methods),
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
