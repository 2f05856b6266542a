import { OptionError } from '../outcome/errors.ts'
import { sourceOf } from '../http/origin.ts'
import type { BreakerOptions } from './breaker-options.ts'
import type { CallOptions } from './call-options.ts'
import {
  boolean, checkShape, count, env, finiteMs, group, integer, isRecord, list, methodName, ms, msOrZero, oneOf, positive,
  rate, record, share, text, type Check, type Shape, type ShapeOf,
} from './checks.ts'
import type { ClientOptions } from './client-options.ts'
import type { FallbackReply } from './fallback-options.ts'
import { filledHeaderValue, headerFields, headerName } from './header-checks.ts'
import { ownCopy } from './own-properties.ts'
import { pool } from './pool-checks.ts'
import { refuse, refuseSecret } from './refuse.ts'
import type { BudgetOptions, RetryOptions } from './retry-options.ts'
import type {
  HedgeOptions, LimitOptions, NamedUpstreamOptions, Priority, StaleOptions, UpstreamOptions,
} from './upstream-options.ts'

const BUDGET: ShapeOf<BudgetOptions> = { capacity: positive, cost: positive, throttledCost: positive }
const RETRY: ShapeOf<RetryOptions> = {
  limit: integer(0, 100), methods: list(methodName), statuses: list(integer(400, 599)),
  backoff: msOrZero, throttledBackoff: msOrZero, maxBackoff: msOrZero, budget: group(BUDGET),
}
const BREAKER: ShapeOf<BreakerOptions> = {
  failureRate: rate, minimumCalls: positive, window: finiteMs, consecutive: positive, slowCallDuration: ms, slowCallRate: rate,
  probes: positive, probeTimeout: finiteMs, probeShare: share, openTime: finiteMs, maxOpenTime: finiteMs, ramp: msOrZero,
  maxHold: msOrZero, holdOn429: boolean,
}
const HEDGE: ShapeOf<HedgeOptions> = { percentile: rate, minimumCalls: positive }
const LIMIT: ShapeOf<LimitOptions> = { adaptive: boolean, max: positive, queue: count, queueTimeout: ms, bodies: positive }
const STALE: ShapeOf<StaleOptions> = { maxAge: ms, maxBodySize: count }
const PRIORITIES = ['critical', 'normal', 'background'] satisfies Priority[]

const fallback: Check = (value, where) => {
  if (typeof value !== 'function' && value !== false) refuse(where, value, 'a function or false')
}

/** Options of an upstream that a call can override. */
const OVERRIDABLE = {
  deadline: finiteMs, attemptTimeout: finiteMs, throwOnStatus: boolean, maxBodySize: count, redirects: integer(0, 20),
  priority: oneOf(...PRIORITIES), fallback,
} satisfies Shape
const UPSTREAM: ShapeOf<UpstreamOptions> = {
  ...OVERRIDABLE,
  callerTimeout: finiteMs, deadlineHeader: headerName, headers: headerFields, coalesce: boolean, pool,
  retry: group(RETRY, false), breaker: group(BREAKER, false), limit: group(LIMIT, false),
  hedge: group(HEDGE, true, false), stale: group(STALE, true, false),
}
const url: Check = (value, where) => {
  if (Array.isArray(value)) list(url)(value, where)
  else if (typeof value !== 'string' || value === '') refuse(where, value, 'an origin or an array of origins')
}
const NAMED: ShapeOf<NamedUpstreamOptions> = { ...UPSTREAM, url }
const CLIENT: ShapeOf<ClientOptions> = {
  ...UPSTREAM, name: text, upstreams: record, maxUpstreams: positive, idleTimeout: finiteMs, maxStaleSize: positive, env,
  allow: (value, where) => {
    if (value === 'any' || value === 'configured') return
    if (!Array.isArray(value)) refuse(where, value, "'any', 'configured' or an array of origins and patterns")
    list(text)(value, where)
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
  group(NAMED)(options, where)
}

const anything: Check = () => undefined
const switchedOff: Check = (value, where) => {
  if (value !== false) refuse(where, value, 'false (a call can only switch it off)')
}
const CALL: ShapeOf<CallOptions> = {
  query: (value, where) => {
    if (typeof value === 'string' || value instanceof URLSearchParams || isRecord(value)) return
    refuseSecret(where, value, 'a plain object, a URLSearchParams object or a string')
  },
  headers: headerFields, json: anything, body: anything, signal: (value, where) => {
    if (!(value instanceof AbortSignal)) refuse(where, value, 'an AbortSignal')
  },
  idempotencyKey: filledHeaderValue, decode: boolean,
  ...OVERRIDABLE,
  retry: group({ limit: RETRY.limit, methods: RETRY.methods, statuses: RETRY.statuses }, false),
  hedge: switchedOff, coalesce: switchedOff, stale: switchedOff,
}

/** Checks the options of one call. @throws OptionError */
export function checkCall(options: object): void {
  checkShape(options, CALL)
}

const FALLBACK_REPLY: ShapeOf<FallbackReply> = {
  status: integer(200, 599), headers: headerFields, json: anything,
  body: (value, where) => {
    if (typeof value === 'string' || value instanceof Uint8Array) return
    refuseSecret(where, value, 'a string or bytes (return objects as `json`)')
  },
}

/**
 * Checks the reply that a fallback returned.
 * @returns a copy that inherits nothing
 * @throws OptionError
 */
export function checkFallbackReply(given: FallbackReply): FallbackReply {
  group(FALLBACK_REPLY)(given, 'fallback()')
  const own = ownCopy(given)
  if (own.json !== undefined && own.body !== undefined) refuseBoth('fallback().body', 'fallback().json')
  return own
}

/** Throws for two options of which only one may be given. */
export function refuseBoth(one: string, other: string): never {
  throw new OptionError(one, `\`${other}\` as well`, `none beside \`${other}\``, `\`${one}\` and \`${other}\` are mutually exclusive`)
}
