import { lowerCased } from '../http/headers.ts'
import { NONE, ownCopy } from './own-properties.ts'
import {
  DEFAULTS, PLAIN, type BreakerPolicy, type LimitPolicy, type PlainPolicy, type Policy, type PoolPolicy, type RetryPolicy,
} from './policy.ts'
import type { PoolOptions } from './pool-options.ts'
import { refuse } from './refuse.ts'
import type { UpstreamOptions } from './upstream-options.ts'

/** A copy without undefined values. Arrays are copied too, so that a later change by the caller has no effect. */
const ownOf = <T extends object>(options: T): T => ownCopy(Object.fromEntries(Object.entries(options)
  .filter(([, value]) => value !== undefined)
  .map(([name, value]: [string, unknown]) => [name, Array.isArray(value) ? [...value as unknown[]] : value])) as T)

/** One group of options over the same group below it; false switches the group off until it is given again. */
function laid<T extends object>(under: T | false | undefined, over: T | false | undefined): T | false | undefined {
  if (over === undefined || over === false) return over ?? under
  return ownCopy((under === undefined || under === false ? NONE : under) as T, ownOf(over))
}

/**
 * Merges options over others, group by group: an option that is given replaces the one below. The result shares no object with
 * `over`. Only own properties of either are read, and the result inherits nothing.
 */
export function mergeOptions(under: UpstreamOptions, over: UpstreamOptions): UpstreamOptions {
  const below = ownCopy(under)
  const own = ownOf(over)
  const merged: Record<string, unknown> = { ...below, ...own }
  for (const name of ['breaker', 'limit', 'pool'] as const) merged[name] = laid<object>(below[name], own[name])
  for (const name of ['hedge', 'stale'] as const) merged[name] = laid<object>(switchedOn(below[name]), switchedOn(own[name]))
  merged.retry = laidRetry(below.retry, own.retry)
  // An undefined field is kept: it removes the field of the options below.
  if (own.headers !== undefined) merged.headers = { ...below.headers, ...lowerCased(own.headers) }
  return ownOf(merged)
}

/** True means a group in which nothing is given. */
const switchedOn = <T extends object>(group: T | boolean | undefined): T | false | undefined =>
  (group === true ? NONE as T : group)

function laidRetry(under: UpstreamOptions['retry'], over: UpstreamOptions['retry']): UpstreamOptions['retry'] {
  const retry = laid(under, over)
  if (retry === false || retry?.budget === undefined) return retry
  const budget = laid(under === false ? undefined : under?.budget, retry.budget)
  return budget === undefined || budget === false ? retry : ownCopy(retry, { budget })
}

const frozen = <T extends object>(value: T): T => Object.freeze({ ...value })

/**
 * Merges options from the least to the most specific, completes them with defaults that fit what is given, checks options that
 * depend on each other, and freezes the result.
 *
 * @param layers - e.g. the options for all upstreams, then those of the pattern or name.
 * @param where - for errors, e.g. `upstreams.payments`.
 * @throws OptionError when two options contradict each other.
 */
export function resolve(layers: readonly UpstreamOptions[], where = ''): Policy {
  const prefix = where === '' ? '' : `${where}.`
  const given = layers.reduce(mergeOptions, NONE)
  const plain = plainOf(given)
  const { deadline } = plain
  const attemptTimeout = given.attemptTimeout ?? deadline
  if (attemptTimeout > deadline) {
    refuse(`${prefix}attemptTimeout`, attemptTimeout, `at most the deadline (${deadline} ms)`)
  }
  const limit = resolveLimit(given, deadline)
  return Object.freeze({
    ...plain,
    attemptTimeout,
    headers: frozen(given.headers ?? {}),
    retry: resolveRetry(given.retry, prefix),
    breaker: resolveBreaker(given.breaker, { deadline, attemptTimeout }, prefix),
    limit,
    hedge: resolveSwitch(given.hedge, DEFAULTS.hedge),
    pool: resolvePool(given.pool, attemptTimeout, limit, prefix),
    stale: resolveSwitch(given.stale, DEFAULTS.stale),
  })
}

/** The plain options that are given, over their defaults. */
function plainOf(given: UpstreamOptions): PlainPolicy {
  const names = Object.keys(PLAIN) as (keyof PlainPolicy)[]
  return Object.fromEntries(names.map(name => [name, given[name] ?? PLAIN[name]])) as unknown as PlainPolicy
}

function resolveRetry(given: UpstreamOptions['retry'] = NONE, prefix: string): RetryPolicy | false {
  if (given === false) return false
  const budget = frozen({ ...DEFAULTS.retry.budget, ...given.budget })
  const cost = Math.max(budget.cost, budget.throttledCost)
  if (cost > budget.capacity) {
    refuse(`${prefix}retry.budget.capacity`, budget.capacity, `at least ${cost}, the cost of one retry (use \`retry: false\` for no retries)`)
  }
  const { backoff, throttledBackoff, maxBackoff } = DEFAULTS.retry
  const policy = {
    ...DEFAULTS.retry,
    maxBackoff: Math.max(maxBackoff, given.backoff ?? 0, given.throttledBackoff ?? 0),
    backoff: Math.min(backoff, given.maxBackoff ?? Infinity),
    throttledBackoff: Math.min(throttledBackoff, given.maxBackoff ?? Infinity),
    ...given,
  }
  for (const name of ['backoff', 'throttledBackoff'] as const) {
    if (policy[name] > policy.maxBackoff) {
      refuse(`${prefix}retry.${name}`, policy[name], `at most maxBackoff (${policy.maxBackoff} ms)`)
    }
  }
  const methods = Object.freeze(policy.methods.map(method => method.toUpperCase()))
  return frozen({ ...policy, methods, statuses: Object.freeze([...policy.statuses]), budget })
}

/** A group that is off by default. */
const resolveSwitch = <T extends object>(given: Partial<T> | boolean | undefined, completed: T): T | false =>
  given === undefined || given === false ? false : frozen({ ...completed, ...switchedOn(given) })

function resolveBreaker(
  given: UpstreamOptions['breaker'] = NONE, times: Pick<Policy, 'deadline' | 'attemptTimeout'>, prefix: string,
): BreakerPolicy | false {
  const { deadline, attemptTimeout } = times
  if (given === false) return false
  const policy = {
    ...DEFAULTS.breaker,
    window: Math.max(DEFAULTS.breaker.window, 2 * attemptTimeout),
    probeTimeout: Math.min(DEFAULTS.breaker.probeTimeout, attemptTimeout),
    maxOpenTime: Math.max(DEFAULTS.breaker.maxOpenTime, given.openTime ?? 0),
    openTime: Math.min(DEFAULTS.breaker.openTime, given.maxOpenTime ?? Infinity),
    ...given,
  }
  // In a shorter window the failures of slow attempts expire before they can add up.
  if (policy.window < 2 * attemptTimeout) {
    refuse(`${prefix}breaker.window`, policy.window, `at least ${2 * attemptTimeout} ms, twice the attempt timeout`)
  }
  if (policy.probeTimeout > attemptTimeout) {
    refuse(`${prefix}breaker.probeTimeout`, policy.probeTimeout, `at most the attempt timeout (${attemptTimeout} ms)`)
  }
  if (policy.openTime > policy.maxOpenTime) {
    refuse(`${prefix}breaker.openTime`, policy.openTime, `at most maxOpenTime (${policy.maxOpenTime} ms)`)
  }
  if (policy.slowCallDuration !== Infinity && policy.slowCallDuration > deadline) {
    refuse(`${prefix}breaker.slowCallDuration`, policy.slowCallDuration, `at most the deadline (${deadline} ms), or Infinity`)
  }
  return frozen(policy)
}

/** Over HTTP/1.1 a call without a connection would wait in the pool, where the time of its attempt is already running. */
function resolveLimit({ limit: given, pool }: UpstreamOptions, deadline: number): LimitPolicy | false {
  if (given === false) return false
  const places = pool?.http2 === true ? Infinity : pool?.connections ?? Infinity
  return frozen({ ...DEFAULTS.limit, max: Math.min(DEFAULTS.limit.max, places), queueTimeout: deadline, ...given })
}

function resolvePool(
  given: PoolOptions = NONE, attemptTimeout: number, limit: LimitPolicy | false, prefix: string,
): PoolPolicy {
  const policy = {
    ...DEFAULTS.pool,
    // Bounded by the limit alone, which may be raised at runtime.
    connections: limit === false ? DEFAULTS.limit.max : Infinity,
    connectTimeout: Math.min(DEFAULTS.pool.connectTimeout, attemptTimeout),
    maxIdleTimeout: Math.max(DEFAULTS.pool.maxIdleTimeout, given.idleTimeout ?? 0),
    idleTimeout: Math.min(DEFAULTS.pool.idleTimeout, given.maxIdleTimeout ?? Infinity),
    // Present even when undefined: a property that is missing is looked up on the prototype.
    tls: undefined,
    socketPath: undefined,
    factory: undefined,
    ...given,
  }
  if (policy.connectTimeout > attemptTimeout) {
    refuse(`${prefix}pool.connectTimeout`, policy.connectTimeout, `at most the attempt timeout (${attemptTimeout} ms)`)
  }
  if (policy.idleTimeout > policy.maxIdleTimeout) {
    refuse(`${prefix}pool.idleTimeout`, policy.idleTimeout, `at most maxIdleTimeout (${policy.maxIdleTimeout} ms)`)
  }
  return frozen(policy)
}
