import { OptionError } from '../outcome/errors.ts'
import { sourceOf } from '../http/origin.ts'
import {
  boolean, callable, checkShape, count, either, env, finiteMs, isRecord, list, ms, msOrZero, number, only, positive, rate, record,
  shape, share, switchable, text, token, type Check, type Shape,
} from './checks.ts'
import type { ClientOptions } from './client-options.ts'
import type { FallbackReply } from './fallback-options.ts'
import { headerFields, key } from './header-checks.ts'
import { kindOf, refuse } from './refuse.ts'
import type { Priority } from './upstream-options.ts'

const BUDGET: Shape = { capacity: positive, cost: positive, throttledCost: positive }
const RETRY: Shape = {
  limit: number(0, 100, 'a whole number from 0 to 100', true), methods: list(token),
  statuses: list(number(400, 599, 'a status from 400 to 599', true)),
  backoff: msOrZero, throttledBackoff: msOrZero, maxBackoff: msOrZero, budget: shape(BUDGET),
}
const BREAKER: Shape = {
  failureRate: rate, minimumCalls: positive, window: finiteMs, consecutive: positive, slowCallDuration: ms, slowCallRate: rate,
  probes: positive, probeTimeout: finiteMs, probeShare: share, openTime: finiteMs, maxOpenTime: finiteMs, ramp: msOrZero,
  maxHold: msOrZero, holdOn429: boolean,
}
const HEDGE: Shape = { percentile: rate, minimumCalls: positive }
const PRIORITIES: readonly unknown[] = ['critical', 'normal', 'background'] satisfies Priority[]
const priority: Check = (value, where) => {
  if (!PRIORITIES.includes(value)) refuse(where, value, `one of ${PRIORITIES.join(', ')}`)
}
const LIMIT: Shape = { adaptive: boolean, max: positive, queue: count, queueTimeout: ms }
const POOL: Shape = {
  connections: positive, connectTimeout: finiteMs, idleTimeout: finiteMs, maxIdleTimeout: finiteMs, maxAge: finiteMs,
  http2: boolean, tls: record, socketPath: text, factory: callable,
}
const STALE: Shape = { maxAge: ms, maxBodySize: count }
const fallback: Check = (value, where) => {
  if (typeof value !== 'function' && value !== false) refuse(where, value, 'a function or false')
}
const UPSTREAM: Shape = {
  deadline: finiteMs, attemptTimeout: finiteMs, deadlineHeader: either(false, token), headers: headerFields,
  throwOnStatus: boolean,
  maxBodySize: count, redirects: number(0, 20, 'a whole number from 0 to 20', true),
  retry: either(false, shape(RETRY)),
  breaker: either(false, shape(BREAKER)),
  limit: either(false, shape(LIMIT)),
  hedge: switchable(HEDGE),
  priority,
  pool: shape(POOL),
  coalesce: boolean,
  stale: switchable(STALE),
  fallback,
}
const NAMED: Shape = { ...UPSTREAM, url: (value, where) => (Array.isArray(value) ? list(text) : text)(value, where) }
const CLIENT: Shape = {
  ...UPSTREAM, name: text, upstreams: record, maxUpstreams: positive, idleTimeout: finiteMs, maxStaleSize: positive, env,
  allow: (value, where) => {
    if (value !== 'any' && value !== 'configured') {
      if (!Array.isArray(value)) refuse(where, value, "'any', 'configured' or an array of origins and patterns")
      list(text)(value, where)
    }
  },
}

/** Checks the options of `createClient()`, each by itself. @throws OptionError */
export function checkClient(options: ClientOptions): void {
  checkShape(options, CLIENT)
  const { upstreams = {} } = { ...options }
  for (const [name, upstream] of Object.entries(upstreams)) checkUpstream(upstream, sourceOf(name))
}

/** Checks the options of one upstream, each by itself. @throws OptionError */
export function checkUpstream(options: unknown, where: string): void {
  shape(NAMED)(options, where)
}

const CALL: Shape = {
  query: (value, where) => {
    if (typeof value === 'string' || isRecord(value)) return
    throw new OptionError(where, kindOf(value), 'an object, URLSearchParams or a string')
  },
  headers: headerFields, json: () => undefined, body: () => undefined, signal: (value, where) => {
    if (!(value instanceof AbortSignal)) refuse(where, value, 'an AbortSignal')
  },
  deadline: finiteMs, attemptTimeout: finiteMs, throwOnStatus: boolean, maxBodySize: count, idempotencyKey: key,
  decode: boolean,
  redirects: UPSTREAM.redirects as Check,
  hedge: only(false), priority,
  coalesce: only(false), stale: only(false), fallback,
  retry: either(false, shape({
    limit: RETRY.limit as Check, methods: RETRY.methods as Check, statuses: RETRY.statuses as Check,
  })),
}

/** Checks the options of one call. @throws OptionError */
export function checkCall(options: object): void {
  checkShape(options, CALL)
}

const FALLBACK_REPLY: Shape = {
  status: number(200, 599, 'a status from 200 to 599', true), headers: headerFields, json: () => undefined,
  body: (value, where) => {
    if (typeof value === 'string' || value instanceof Uint8Array) return
    throw new OptionError(where, kindOf(value), 'a string or bytes; for objects use json')
  },
}

/** Checks what a fallback answered with. @throws OptionError */
export function checkFallbackReply(given: unknown): void {
  shape(FALLBACK_REPLY)(given, 'fallback()')
  const { json, body } = { ...given as FallbackReply }
  if (json !== undefined && body !== undefined) throw new OptionError('fallback().body', kindOf(body), 'none beside json')
}
