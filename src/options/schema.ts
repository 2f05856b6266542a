import { OptionError } from '../outcome/errors.ts'
import { sourceOf } from '../http/origin.ts'
import type { BreakerOptions } from './breaker-options.ts'
import type { CallOptions } from './call-options.ts'
import {
  boolean, callable, checkShape, count, either, env, finiteMs, isRecord, list, ms, msOrZero, number, oneOf, only, positive, rate,
  record, shape, share, switchable, text, token, type Check, type Shape, type ShapeOf,
} from './checks.ts'
import type { ClientOptions } from './client-options.ts'
import type { FallbackReply } from './fallback-options.ts'
import { headerFields, key } from './header-checks.ts'
import { ownCopy } from './own.ts'
import type { PoolOptions } from './pool-options.ts'
import { kindOf, refuse } from './refuse.ts'
import type { BudgetOptions, RetryOptions } from './retry-options.ts'
import type {
  HedgeOptions, LimitOptions, NamedUpstreamOptions, Priority, StaleOptions, UpstreamOptions,
} from './upstream-options.ts'

const BUDGET: ShapeOf<BudgetOptions> = { capacity: positive, cost: positive, throttledCost: positive }
const RETRY: ShapeOf<RetryOptions> = {
  limit: number(0, 100, 'a whole number from 0 to 100', true), methods: list(token),
  statuses: list(number(400, 599, 'a status from 400 to 599', true)),
  backoff: msOrZero, throttledBackoff: msOrZero, maxBackoff: msOrZero, budget: shape(BUDGET),
}
const BREAKER: ShapeOf<BreakerOptions> = {
  failureRate: rate, minimumCalls: positive, window: finiteMs, consecutive: positive, slowCallDuration: ms, slowCallRate: rate,
  probes: positive, probeTimeout: finiteMs, probeShare: share, openTime: finiteMs, maxOpenTime: finiteMs, ramp: msOrZero,
  maxHold: msOrZero, holdOn429: boolean,
}
const HEDGE: ShapeOf<HedgeOptions> = { percentile: rate, minimumCalls: positive }
const LIMIT: ShapeOf<LimitOptions> = { adaptive: boolean, max: positive, queue: count, queueTimeout: ms }
const POOL: ShapeOf<PoolOptions> = {
  connections: positive, connectTimeout: finiteMs, idleTimeout: finiteMs, maxIdleTimeout: finiteMs, maxAge: finiteMs,
  http2: boolean, tls: record, socketPath: text, factory: callable,
}
const STALE: ShapeOf<StaleOptions> = { maxAge: ms, maxBodySize: count }
const fallback: Check = (value, where) => {
  if (typeof value !== 'function' && value !== false) refuse(where, value, 'a function or false')
}
const PRIORITIES = ['critical', 'normal', 'background'] satisfies Priority[]
/** What can be set for an upstream, and set otherwise for one of its calls. */
const OVERRIDABLE = {
  deadline: finiteMs, attemptTimeout: finiteMs, throwOnStatus: boolean, maxBodySize: count,
  redirects: number(0, 20, 'a whole number from 0 to 20', true), priority: oneOf(...PRIORITIES),
  fallback,
} satisfies Shape
const UPSTREAM: ShapeOf<UpstreamOptions> = {
  ...OVERRIDABLE,
  deadlineHeader: either(false, token), headers: headerFields,
  retry: either(false, shape(RETRY)),
  breaker: either(false, shape(BREAKER)),
  limit: either(false, shape(LIMIT)),
  hedge: switchable(HEDGE),
  pool: shape(POOL),
  coalesce: boolean,
  stale: switchable(STALE),
}
const NAMED: ShapeOf<NamedUpstreamOptions> = {
  ...UPSTREAM, url: (value, where) => (Array.isArray(value) ? list(text) : text)(value, where),
}
const CLIENT: ShapeOf<ClientOptions> = {
  ...UPSTREAM, name: text, upstreams: record, maxUpstreams: positive, idleTimeout: finiteMs, maxStaleSize: positive, env,
  allow: (value, where) => {
    if (value !== 'any' && value !== 'configured') {
      if (!Array.isArray(value)) refuse(where, value, "'any', 'configured' or an array of origins and patterns")
      list(text)(value, where)
    }
  },
}

/**
 * Checks the options of `createClient()`, each by itself.
 * @returns a copy that inherits nothing: only what has been checked may be read
 * @throws OptionError
 */
export function checkClient(options: ClientOptions): ClientOptions {
  checkShape(options, CLIENT)
  const own = ownCopy(options)
  for (const [name, upstream] of Object.entries(own.upstreams ?? {})) checkUpstream(upstream, sourceOf(name))
  return own
}

/** Checks the options of one upstream, each by itself. @throws OptionError */
export function checkUpstream(options: unknown, where: string): void {
  shape(NAMED)(options, where)
}

const anything: Check = () => undefined
const CALL: ShapeOf<CallOptions> = {
  query: (value, where) => {
    if (typeof value === 'string' || isRecord(value)) return
    throw new OptionError(where, kindOf(value), 'an object, URLSearchParams or a string')
  },
  headers: headerFields, json: anything, body: anything, signal: (value, where) => {
    if (!(value instanceof AbortSignal)) refuse(where, value, 'an AbortSignal')
  },
  idempotencyKey: key, decode: boolean,
  ...OVERRIDABLE,
  retry: either(false, shape({ limit: RETRY.limit, methods: RETRY.methods, statuses: RETRY.statuses })),
  hedge: only(false), coalesce: only(false), stale: only(false),
}

/** Checks the options of one call. @throws OptionError */
export function checkCall(options: object): void {
  checkShape(options, CALL)
}

const FALLBACK_REPLY: ShapeOf<FallbackReply> = {
  status: number(200, 599, 'a status from 200 to 599', true), headers: headerFields, json: anything,
  body: (value, where) => {
    if (typeof value === 'string' || value instanceof Uint8Array) return
    throw new OptionError(where, kindOf(value), 'a string or bytes; for objects use json')
  },
}

/**
 * Checks what a fallback answered with.
 * @returns a copy that inherits nothing
 * @throws OptionError
 */
export function checkFallbackReply(given: FallbackReply): FallbackReply {
  shape(FALLBACK_REPLY)(given, 'fallback()')
  const own = ownCopy(given)
  if (own.json !== undefined && own.body !== undefined) {
    throw new OptionError('fallback().body', kindOf(own.body), 'none beside json')
  }
  return own
}
