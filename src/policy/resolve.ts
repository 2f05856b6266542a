import {
  DEFAULTS, refuse,
  type BreakerPolicy, type LimitPolicy, type Policy, type PoolPolicy, type RetryPolicy, type UpstreamOptions,
} from '../options.ts'

const MAX_PROBE_TIMEOUT = DEFAULTS.breaker.probeTimeout

/**
 * The value of a group of options over all layers, most particular last; false switches it off until it is given again.
 */
function group<T extends object>(layers: readonly (T | false | undefined)[]): T | false {
  return layers.reduce<T | false>((merged, layer) => {
    if (layer === undefined) return merged
    return layer === false ? false : { ...(merged === false ? {} : merged), ...definedOf(layer) }
  }, {} as T)
}

/** Lays options over others, group by group, as layers of {@link resolve} would lie. */
export function mergeOptions(under: UpstreamOptions, over: UpstreamOptions): UpstreamOptions {
  const merged: Record<string, unknown> = { ...under, ...definedOf(over) }
  for (const name of ['retry', 'breaker', 'limit', 'pool', 'headers'] as const) {
    const [below, above] = [under[name], over[name]]
    if (typeof below === 'object' && typeof above === 'object') merged[name] = { ...below, ...definedOf(above) }
  }
  const budgets = [under.retry, over.retry].map(retry => (typeof retry === 'object' ? retry.budget : undefined))
  if (typeof merged.retry === 'object' && budgets.some(Boolean)) {
    merged.retry = { ...merged.retry, budget: { ...budgets[0], ...budgets[1] } }
  }
  return merged
}

const definedOf = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T

const frozen = <T extends object>(value: T): T => Object.freeze({ ...value })

/**
 * Merges options from the least to the most particular, completes them with defaults that fit what was given, checks
 * what only
 * makes sense together, and freezes the result.
 *
 * @param layers - e.g. defaults of the client, then of the pattern or name. @param where - for errors, e.g.
 * `upstreams.payments`.
 * @throws OptionError when two options contradict each other.
 */
export function resolve(layers: readonly UpstreamOptions[], where = ''): Policy {
  const prefix = where === '' ? '' : `${where}.`
  const given = Object.assign({}, ...layers.map(definedOf)) as UpstreamOptions
  const deadline = given.deadline ?? DEFAULTS.deadline
  const attemptTimeout = given.attemptTimeout ?? deadline
  if (attemptTimeout > deadline) {
    refuse(`${prefix}attemptTimeout`, attemptTimeout, `at most the deadline of ${deadline} ms`)
  }
  const limit = resolveLimit(group(layers.map(layer => layer.limit)), deadline)
  return Object.freeze({
    deadline,
    attemptTimeout,
    deadlineHeader: given.deadlineHeader ?? DEFAULTS.deadlineHeader,
    headers: frozen(Object.assign({}, ...layers.map(layer => lowerCased(layer.headers))) as Policy['headers']),
    throwOnStatus: given.throwOnStatus ?? DEFAULTS.throwOnStatus,
    maxBodySize: given.maxBodySize ?? DEFAULTS.maxBodySize,
    redirects: given.redirects ?? DEFAULTS.redirects,
    retry: resolveRetry(layers, prefix),
    breaker: resolveBreaker(layers, attemptTimeout, prefix),
    limit,
    pool: resolvePool(layers, attemptTimeout, limit === false ? Infinity : limit.max, prefix),
  })
}

const lowerCased = (headers: Policy['headers'] = {}): Policy['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function resolveRetry(layers: readonly UpstreamOptions[], prefix: string): RetryPolicy | false {
  const given = group(layers.map(layer => layer.retry))
  if (given === false) return false
  const budgets = group(layers.map(layer => (layer.retry === false ? undefined : layer.retry?.budget)))
  const budget = frozen({ ...DEFAULTS.retry.budget, ...budgets })
  if (Math.max(budget.cost, budget.throttledCost) > budget.capacity) {
    refuse(`${prefix}retry.budget.capacity`, budget.capacity, 'at least the cost of one retry; to have none, set retry: false')
  }
  const methods = (given.methods ?? DEFAULTS.retry.methods).map(method => method.toUpperCase())
  return frozen({ ...DEFAULTS.retry, ...given, methods: Object.freeze(methods), budget })
}

function resolveBreaker(layers: readonly UpstreamOptions[], attemptTimeout: number, prefix: string): BreakerPolicy | false {
  const given = group(layers.map(layer => layer.breaker))
  if (given === false) return false
  const policy = {
    ...DEFAULTS.breaker,
    window: Math.max(DEFAULTS.breaker.window, 2 * attemptTimeout),
    probeTimeout: Math.min(MAX_PROBE_TIMEOUT, attemptTimeout),
    maxOpenTime: Math.max(DEFAULTS.breaker.maxOpenTime, given.openTime ?? 0),
    openTime: Math.min(DEFAULTS.breaker.openTime, given.maxOpenTime ?? Infinity),
    ...given,
  }
  // With a shorter window the failures of slow attempts rotate out before they can add up.
  if (policy.window < 2 * attemptTimeout) {
    refuse(`${prefix}breaker.window`, policy.window, `at least twice the attempt timeout of ${attemptTimeout} ms`)
  }
  if (policy.probeTimeout > attemptTimeout) {
    refuse(`${prefix}breaker.probeTimeout`, policy.probeTimeout, `at most the attempt timeout of ${attemptTimeout} ms`)
  }
  if (policy.openTime > policy.maxOpenTime) {
    refuse(`${prefix}breaker.openTime`, policy.openTime, `at most maxOpenTime, ${policy.maxOpenTime} ms`)
  }
  return frozen(policy)
}

function resolveLimit(given: UpstreamOptions['limit'], deadline: number): LimitPolicy | false {
  return given === false ? false : frozen({ ...DEFAULTS.limit, queueTimeout: deadline, ...given })
}

function resolvePool(
  layers: readonly UpstreamOptions[], attemptTimeout: number, permits: number, prefix: string,
): PoolPolicy {
  const given = group(layers.map(layer => layer.pool)) || {}
  const policy = {
    ...DEFAULTS.pool,
    connections: Number.isFinite(permits) ? permits : DEFAULTS.limit.max,
    connectTimeout: Math.min(DEFAULTS.pool.connectTimeout, attemptTimeout),
    maxIdleTimeout: Math.max(DEFAULTS.pool.maxIdleTimeout, given.idleTimeout ?? 0),
    ...given,
  }
  if (policy.connectTimeout > attemptTimeout) {
    refuse(`${prefix}pool.connectTimeout`, policy.connectTimeout, `at most the attempt timeout of ${attemptTimeout} ms`)
  }
  if (policy.idleTimeout > policy.maxIdleTimeout) {
    refuse(`${prefix}pool.idleTimeout`, policy.idleTimeout, `at most maxIdleTimeout, ${policy.maxIdleTimeout} ms`)
  }
  return frozen(policy)
}
