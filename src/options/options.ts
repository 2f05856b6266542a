/**
 * Every option: its type, what it does, its default and its check, in one place.
 *
 * Durations are ms, ratios are 0–1, sizes are bytes. What a caller writes is an `…Options` type, all of it optional;
 * what the layers read is a `…Policy`: merged, completed and frozen.
 */
import type { TlsOptions } from 'node:tls'
import type { Env } from '../clock.ts'
import { OptionError, type UpstreamError } from '../outcome/errors.ts'
import { TOKEN, type HeaderFields } from '../http/headers.ts'
import { sourceOf } from '../http/origin.ts'
import type { Reply } from '../outcome/reply.ts'

/** When and how a failed attempt is made again. */
export interface RetryOptions {
  /** Retries after the first attempt; the budget may allow fewer. @default 4 */
  readonly limit?: number
  /** Methods repeatable besides GET, HEAD, OPTIONS, TRACE, PUT, DELETE and QUERY. @default [] */
  readonly methods?: readonly string[]
  /** Statuses that are retried. @default [408, 429, 500, 502, 503, 504] */
  readonly statuses?: readonly number[]
  /** Back-off before the first retry, in ms, before jitter; it doubles with each. @default 50, or maxBackoff if that is less */
  readonly backoff?: number
  /**
   * Back-off before the first retry of a throttled call that has no Retry-After, in ms. @default 1000, or maxBackoff if
   * that is less
   */
  readonly throttledBackoff?: number
  /** Longest back-off, in ms. @default 20000, or the longest of the other two if that is more */
  readonly maxBackoff?: number
  /** What bounds all retries of an upstream together. */
  readonly budget?: BudgetOptions
}

/** The retry budget: one per upstream, paid for by successes. */
export interface BudgetOptions {
  /** Tokens a full budget holds; it starts full. @default 500 */
  readonly capacity?: number
  /** Tokens a retry costs; given back if it succeeds. A call that succeeds pays in 1. @default 14 */
  readonly cost?: number
  /** Tokens a retry of a throttled call costs. @default 5 */
  readonly throttledCost?: number
}

/** When an endpoint's circuit opens, and how it closes again. */
export interface BreakerOptions {
  /** Share of failures in the window at which the circuit opens. @default 0.5 */
  readonly failureRate?: number
  /** Settled calls the window must hold before a rate counts. @default 20 */
  readonly minimumCalls?: number
  /**
   * Length of the rolling window in ms; at least 2 × attemptTimeout. @default 10000, or 2 × attemptTimeout if that is
   * more
   */
  readonly window?: number
  /**
   * Gateway errors in a row that open it at low volume; at high volume the bar is raised to what chance rules out.
   * @default 5
   */
  readonly consecutive?: number
  /** A call that takes at least this long, in ms, is slow; Infinity: none is. @default Infinity */
  readonly slowCallDuration?: number
  /** Share of slow calls in the window at which the circuit opens. @default 0.8 */
  readonly slowCallRate?: number
  /** Probes that must succeed, one after the other or together, before it closes. @default 3 */
  readonly probes?: number
  /** Longest time a probe may take, in ms. @default attemptTimeout, at most 5000 */
  readonly probeTimeout?: number
  /** Share of the calls refused while open that are let through as probes, before `openTime` is over. @default 0.015 */
  readonly probeShare?: number
  /** First open time, in ms; it doubles with each failed probe and is jittered. @default 1000, or maxOpenTime if that is less */
  readonly openTime?: number
  /** Longest open time, in ms. @default 30000, or openTime if that is more */
  readonly maxOpenTime?: number
  /**
   * After closing, concurrency grows from `probes` by one with each success for this long, in ms; 0: at once. @default
   * 1000
   */
  readonly ramp?: number
  /**
   * Longest time, in ms, a Retry-After may hold the endpoint's other calls. It ends sooner when as many calls as `probes` that
   * were in flight come back well meanwhile. @default 5000
   */
  readonly maxHold?: number
  /** Whether a 429's Retry-After holds the endpoint's other calls, as a 503's does. @default false */
  readonly holdOn429?: boolean
}

/** How many calls of an upstream may be in flight, and how many may wait. */
export interface LimitOptions {
  /** Whether the limit follows the capacity the upstream is found to have, up to `max`; if not, it is `max`. @default true */
  readonly adaptive?: boolean
  /** Calls in flight at most. @default 256, or pool.connections if that is less and http2 is off */
  readonly max?: number
  /** Calls that may wait for a permit. @default 1000 */
  readonly queue?: number
  /** Longest wait for a permit, in ms. @default the deadline */
  readonly queueTimeout?: number
  /**
   * Bodies in transit at most, besides the calls in flight: uploads that their callers send slowly, and streamed replies, whose
   * permit goes back at their headers. @default 4096
   */
  readonly bodies?: number
}

/** What may be said of TLS: options of node:tls, and the name the certificate must have. */
export interface ConnectionTls extends TlsOptions {
  /** The host name to ask for and to find in the certificate. @default the host of the URL */
  readonly servername?: string
}

/** When a call gets a second attempt beside one that is slow. */
export interface HedgeOptions {
  /** How slow: the percentile of the latencies of late, as a ratio. @default 0.95 */
  readonly percentile?: number
  /** Latencies that must be known first. @default 100 */
  readonly minimumCalls?: number
}

/** How much a call matters: in overload `background` is shed before `normal`, and `critical` last. */
export type Priority = 'critical' | 'normal' | 'background'

/** The connections to one endpoint. */
export interface PoolOptions {
  /** Connections at most; without HTTP/2 `limit.max` is then no more than that by default. @default limit.max */
  readonly connections?: number
  /** How long to wait for a connection, in ms. @default 2000, or the attempt timeout if that is less */
  readonly connectTimeout?: number
  /** How long an idle connection is kept, in ms. @default 4000, or maxIdleTimeout if that is less */
  readonly idleTimeout?: number
  /** The most that a server's keep-alive hint may make of `idleTimeout`, in ms. @default 30000, or idleTimeout if that is more */
  readonly maxIdleTimeout?: number
  /** Age in ms at which a connection is retired once idle, so that DNS changes are seen. @default 300000 */
  readonly maxAge?: number
  /** Whether HTTP/2 is offered over TLS. @default false */
  readonly http2?: boolean
  /**
   * TLS: `ca`, `cert`, `key`, `servername` and so on, as of node:tls. Certificates are verified unless you say
   * otherwise.
   */
  readonly tls?: ConnectionTls
  /** Path of a unix socket to connect to instead of host and port. */
  readonly socketPath?: string
  /**
   * Makes the dispatcher of an origin in place of the built-in pool, e.g. a proxy agent, or undici's MockAgent in a
   * test.
   */
  readonly factory?: (origin: string) => DispatcherLike
}

/** What `pool.factory` must return: any undici dispatcher is one. */
export interface DispatcherLike {
  /** Sends a request and tells the handler what comes back. */
  dispatch(options: never, handler: never): boolean
  /** Finishes what is in flight, then closes. */
  close(): Promise<void>
  /** Closes now. */
  destroy(): Promise<void>
}

/** Which stale replies may stand in for those that fail. */
export interface StaleOptions {
  /** Age up to which a reply may stand in for another, in ms; its own Cache-Control may say less. @default 3600000 */
  readonly maxAge?: number
  /** Longest body that is kept, in bytes. @default 1048576 */
  readonly maxBodySize?: number
}

/** What a {@link Fallback} is told of the call it stands in for. */
export interface FallbackRequest {
  /** The upstream's name, or its origin. */
  readonly upstream: string
  /** The method, in upper case. */
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Header fields of the call, names in lower case; those of the upstream's options are not among them. */
  readonly headers: HeaderFields
  /** What remains of the call's deadline, in ms, at least 1. */
  readonly deadline: number
  /** The caller's own signal, if there is one. */
  readonly signal: AbortSignal | undefined
}

/** A reply put together by a {@link Fallback}. */
export interface FallbackReply {
  /** The status; 200 if nothing is said. */
  readonly status?: number
  /** Header fields. */
  readonly headers?: HeaderFields
  /** A value, given as JSON. */
  readonly json?: unknown
  /** A body, in place of `json`. */
  readonly body?: string | Uint8Array
}

/**
 * Answers in place of an upstream that can't: with a reply put together, with one from elsewhere, or with undefined,
 * which leaves the caller with the error.
 *
 * @example
 * createClient({ upstreams: { prices: { url, fallback: (_error, { method }) => method === 'GET' ? { json: [] } : undefined } } })
 */
export type Fallback = (error: UpstreamError, request: FallbackRequest) =>
  Reply | FallbackReply | undefined | Promise<Reply | FallbackReply | undefined>

/** What can be set for every upstream, and for each. */
export interface UpstreamOptions {
  /** Longest time a call may take, all in all, in ms. @default 10000 */
  readonly deadline?: number
  /** Longest time one attempt may take, in ms; at most the deadline. @default the deadline */
  readonly attemptTimeout?: number
  /**
   * Longest time, in ms, for which a caller of `dispatcher()` or `fetch` may send nothing of its request's body, or read nothing
   * of its response: time that the deadline does not count there. @default 300000
   */
  readonly callerTimeout?: number
  /** Request header that tells the upstream how many ms remain; false: none. @default false */
  readonly deadlineHeader?: string | false
  /** Header fields sent with every call. @default {} */
  readonly headers?: HeaderFields
  /** Whether a status of 400 or more ends in a StatusError. @default true */
  readonly throwOnStatus?: boolean
  /**
   * Longest body of a reply, in bytes after decoding. Streamed replies are bounded only if a call says so. @default
   * 10485760
   */
  readonly maxBodySize?: number
  /** Redirects followed at most. @default 0 */
  readonly redirects?: number
  /** Retries; false: none. */
  readonly retry?: RetryOptions | false
  /** The circuit breaker of each endpoint; false: none. */
  readonly breaker?: BreakerOptions | false
  /** Calls in flight; false: no limit. */
  readonly limit?: LimitOptions | false
  /** A second attempt beside one that is slow (hedging), for calls that may be repeated; true: with defaults. @default false */
  readonly hedge?: HedgeOptions | boolean
  /** How much its calls matter when there are not enough permits: who is served first, and who is shed last. @default 'normal' */
  readonly priority?: Priority
  /** Connections. */
  readonly pool?: PoolOptions
  /** Whether equal GETs and HEADs that are in flight at the same time share one. @default false */
  readonly coalesce?: boolean
  /** Last good replies to GETs, kept to stand in for those that fail; true: with defaults. @default false */
  readonly stale?: StaleOptions | boolean
  /** Answers in place of the upstream when it can't; false: nothing does. @default false */
  readonly fallback?: Fallback | false
}

/** An upstream with a name has an address, too. */
export interface NamedUpstreamOptions extends UpstreamOptions {
  /** Its origin, e.g. `http://payments.internal:8080`, or one for each of its endpoints. */
  readonly url: string | readonly string[]
}

/** Options of `createClient()`. */
export interface ClientOptions extends UpstreamOptions {
  /**
   * The client's name in events and metrics, by which several clients of one process are told apart.
   * @default `default` for the first client that has none, `default-2` for the next, and so on
   */
  readonly name?: string
  /**
   * Upstreams by name (with a `url`), by origin (`https://api.example.com`) or by a pattern of origins
   * (`https://*.search.internal`: one label or more in place of the star). Name or exact origin wins over pattern, the
   * longest pattern over the others, any of them over what is set for all.
   */
  readonly upstreams?: Readonly<Record<string, UpstreamOptions | NamedUpstreamOptions>>
  /**
   * Which origins may be called: `'any'`, `'configured'` (those in `upstreams`), or a list of origins and patterns.
   * @default 'any'
   */
  readonly allow?: 'any' | 'configured' | readonly string[]
  /** Upstreams remembered at most, besides those configured by name or origin. @default 1000 */
  readonly maxUpstreams?: number
  /** Time without a call after which an upstream is drained and forgotten, in ms. @default 300000 */
  readonly idleTimeout?: number
  /** Bytes of replies kept for `stale` at most, those of all upstreams together. @default 52428800 */
  readonly maxStaleSize?: number
  /** Time and chance; a test puts its own here. */
  readonly env?: Env
}

/** {@link BudgetOptions}, completed. */
export type BudgetPolicy = Required<BudgetOptions>
/** {@link RetryOptions}, completed. */
export interface RetryPolicy extends Required<Omit<RetryOptions, 'budget'>> {
  /** What bounds all retries of an upstream together. */
  readonly budget: BudgetPolicy
}
/** {@link BreakerOptions}, completed. */
export type BreakerPolicy = Required<BreakerOptions>
/** {@link LimitOptions}, completed. */
export type LimitPolicy = Required<LimitOptions>
/** {@link HedgeOptions}, completed. */
export type HedgePolicy = Required<HedgeOptions>
/** {@link PoolOptions}, completed; `connections` is Infinity where the limit alone bounds them. */
export type PoolPolicy = Required<Omit<PoolOptions, 'tls' | 'socketPath' | 'factory'>> &
  Pick<PoolOptions, 'tls' | 'socketPath' | 'factory'>

/** {@link StaleOptions}, completed. */
export type StalePolicy = Required<StaleOptions>

/** The options of one upstream: merged, completed, checked and frozen. */
export interface Policy {
  /** Longest time a call may take, in ms. */
  readonly deadline: number
  /** Longest time one attempt may take, in ms. */
  readonly attemptTimeout: number
  /** Longest time for which a caller that sends or reads a stream may be waited for, in ms. */
  readonly callerTimeout: number
  /** Request header that tells the upstream how many ms remain. */
  readonly deadlineHeader: string | false
  /** Header fields sent with every call, names in lower case. */
  readonly headers: HeaderFields
  /** Whether a status of 400 or more ends in a StatusError. */
  readonly throwOnStatus: boolean
  /** Longest body of a buffered reply, in bytes after decoding. */
  readonly maxBodySize: number
  /** Redirects followed at most. */
  readonly redirects: number
  /** Retries; false: none. */
  readonly retry: RetryPolicy | false
  /** The circuit breaker of each endpoint; false: none. */
  readonly breaker: BreakerPolicy | false
  /** Calls in flight; false: no limit. */
  readonly limit: LimitPolicy | false
  /** A second attempt beside one that is slow; false: none. */
  readonly hedge: HedgePolicy | false
  /** How much its calls matter. */
  readonly priority: Priority
  /** Connections. */
  readonly pool: PoolPolicy
  /** Whether equal GETs and HEADs that are in flight at the same time share one. */
  readonly coalesce: boolean
  /** Last good replies to GETs, kept to stand in for those that fail; false: none. */
  readonly stale: StalePolicy | false
  /** Answers in place of the upstream when it can't; false: nothing does. */
  readonly fallback: Fallback | false
}

type PlainOption =
  'deadline' | 'callerTimeout' | 'deadlineHeader'
  | 'throwOnStatus' | 'maxBodySize' | 'redirects' | 'priority' | 'coalesce' | 'fallback'

interface Defaults extends Pick<Policy, PlainOption> {
  readonly retry: RetryPolicy
  readonly breaker: BreakerPolicy
  readonly limit: Omit<LimitPolicy, 'queueTimeout'>
  readonly hedge: HedgePolicy
  readonly pool: Omit<PoolPolicy, 'connections'>
  readonly stale: StalePolicy
  readonly client: Required<Pick<ClientOptions, 'allow' | 'maxUpstreams' | 'idleTimeout' | 'maxStaleSize'>>
}

/** The defaults that depend on nothing else. */
export const DEFAULTS: Defaults = {
  deadline: 10_000,
  callerTimeout: 300_000,
  deadlineHeader: false,
  throwOnStatus: true,
  maxBodySize: 10_485_760,
  redirects: 0,
  priority: 'normal',
  retry: {
    limit: 4, methods: [], statuses: [408, 429, 500, 502, 503, 504],
    backoff: 50, throttledBackoff: 1_000, maxBackoff: 20_000,
    budget: { capacity: 500, cost: 14, throttledCost: 5 },
  },
  breaker: {
    failureRate: 0.5, minimumCalls: 20, window: 10_000, consecutive: 5,
    slowCallDuration: Infinity, slowCallRate: 0.8,
    probes: 3, probeTimeout: 5_000, probeShare: 0.015, openTime: 1_000, maxOpenTime: 30_000, ramp: 1_000,
    maxHold: 5_000, holdOn429: false,
  },
  limit: { adaptive: true, max: 256, queue: 1_000, bodies: 4_096 },
  hedge: { percentile: 0.95, minimumCalls: 100 },
  pool: { connectTimeout: 2_000, idleTimeout: 4_000, maxIdleTimeout: 30_000, maxAge: 300_000, http2: false },
  coalesce: false,
  stale: { maxAge: 3_600_000, maxBodySize: 1_048_576 },
  fallback: false,
  client: { allow: 'any', maxUpstreams: 1_000, idleTimeout: 300_000, maxStaleSize: 52_428_800 },
}

/** Says whether a value will do; if not, what was expected. */
export type Check = (value: unknown, where: string) => void
/** What each key of a group must be. */
export type Shape = Readonly<Record<string, Check>>

/** What a URL's credentials or query would show by, and what would break a line of a log. */
const UNSHOWABLE = /[@?]|[^ -~]/

/** Describes a value for an error: a short one as it is, unless it could be a URL with something secret in it. */
export function describe(value: unknown): string {
  if (typeof value !== 'string') return isPrintable(value) ? String(value) : kindOf(value)
  return value.length > 40 || UNSHOWABLE.test(value) ? `a string of ${value.length} characters` : `'${value}'`
}

const isPrintable = (value: unknown): boolean =>
  value === null || ['number', 'boolean', 'undefined', 'bigint'].includes(typeof value)

/** Describes what kind of a value it is and no more: for headers, bodies and keys. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Throws an {@link OptionError}. */
export function refuse(where: string, value: unknown, expected: string): never {
  throw new OptionError(where, describe(value), expected)
}

/** A number between two others. */
export const number = (min: number, max: number, expected: string, whole = false): Check => (value, where) => {
  const fits = typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))
  if (!fits) refuse(where, value, expected)
}
const ms = number(1, Infinity, 'a number of ms, at least 1, or Infinity')
/** A duration that ends. */
export const finiteMs: Check = number(1, 2 ** 31 - 1, 'a number of ms from 1 to 2147483647')
/** A duration that ends, or none. */
export const msOrZero: Check = number(0, 2 ** 31 - 1, 'a number of ms from 0 to 2147483647')
const count = number(0, Number.MAX_SAFE_INTEGER, 'a whole number, 0 or more', true)
/** A whole number, at least 1. */
export const positive: Check = number(1, Number.MAX_SAFE_INTEGER, 'a whole number, at least 1', true)
const share = number(0, 1, 'a ratio from 0 to 1')
/** A ratio that is not zero. */
export const rate: Check = number(Number.MIN_VALUE, 1, 'a ratio above 0, up to 1')
/** True or false. */
export const boolean: Check = (value, where) => {
  if (typeof value !== 'boolean') refuse(where, value, 'true or false')
}
/** A string that is not empty. */
export const text: Check = (value, where) => {
  if (typeof value !== 'string' || value === '') refuse(where, value, 'a string that is not empty')
}
/** A function. */
export const callable: Check = (value, where) => {
  if (typeof value !== 'function') refuse(where, value, 'a function')
}
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const record: Check = (value, where) => {
  if (!isRecord(value)) throw new OptionError(where, kindOf(value), 'an object')
}
/** A name of RFC 9110 token characters. */
export const token: Check = (value, where) => {
  if (typeof value !== 'string' || !TOKEN.test(value)) refuse(where, value, 'a name of RFC 9110 token characters')
}
/** An array of things that each pass. */
export const list = (check: Check): Check => (value, where) => {
  if (!Array.isArray(value)) refuse(where, value, 'an array')
  value.forEach((item, index) => check(item, `${where}[${index}]`))
}
const either = (special: unknown, check: Check): Check => (value, where) => {
  if (value !== special) check(value, where)
}
const only = (wanted: unknown): Check => (value, where) => {
  if (value !== wanted) refuse(where, value, String(wanted))
}
const shape = (checks: Shape): Check => (value, where) => {
  checkShape(value as object, checks, where)
}

/** A group that is off unless asked for: true has its defaults. */
const switchable = (checks: Shape): Check => (value, where) => {
  if (typeof value !== 'boolean') shape(checks)(value, where)
}

/** Checks own keys only: what hangs on a prototype is never read. Unknown keys are refused, with all known ones. */
export function checkShape(value: object, checks: Shape, where = ''): void {
  if (!isRecord(value)) refuse(where === '' ? 'options' : where, value, 'an object')
  const prefix = where === '' ? '' : `${where}.`
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined
    if (check === undefined) {
      throw new OptionError(prefix + key, 'an unknown option', `one of ${Object.keys(checks).join(', ')}`)
    }
    if (value[key] !== undefined) check(value[key], prefix + key)
  }
}

const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/
/** Never says the value itself: it may be a credential. */
const headerValue: Check = (value, where) => {
  if (typeof value !== 'string') throw new OptionError(where, kindOf(value), 'a string')
  if (BAD_VALUE.test(value)) throw new OptionError(where, 'control characters', 'a valid header value')
}
const key: Check = (value, where) => {
  headerValue(value, where)
  text(value, where)
}
/** Checks header fields: names are tokens, values hold no line break or other control character. */
const headerFields: Check = (value, where) => {
  if (!isRecord(value)) throw new OptionError(where, kindOf(value), 'an object of header fields')
  for (const name of Object.keys(value)) {
    if (!TOKEN.test(name)) throw new OptionError(where, 'a name that is none', 'header names of RFC 9110 token characters')
    const given = value[name]
    for (const item of Array.isArray(given) ? given : [given]) {
      if (item === undefined) continue
      headerValue(item, `${where}.${name}`)
    }
  }
}

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
const LIMIT: Shape = { adaptive: boolean, max: positive, queue: count, queueTimeout: ms, bodies: positive }
const POOL: Shape = {
  connections: positive, connectTimeout: finiteMs, idleTimeout: finiteMs, maxIdleTimeout: finiteMs, maxAge: finiteMs,
  http2: boolean, tls: record, socketPath: text, factory: callable,
}
const STALE: Shape = { maxAge: ms, maxBodySize: count }
const fallback: Check = (value, where) => {
  if (typeof value !== 'function' && value !== false) refuse(where, value, 'a function or false')
}
const UPSTREAM: Shape = {
  deadline: finiteMs, attemptTimeout: finiteMs, callerTimeout: finiteMs,
  deadlineHeader: either(false, deadlineField), headers: headerFields,
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
/** Time and chance. */
export const env: Check = (value, where) => {
  record(value, where)
  // The methods of a clock may well be those of its class.
  const { clock, random } = value as { clock?: { now?: unknown; after?: unknown }; random?: unknown }
  callable(clock?.now, `${where}.clock.now`)
  callable(clock?.after, `${where}.clock.after`)
  callable(random, `${where}.random`)
}
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

/** Fields that say where a message goes, where it ends or what its connection is for. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection', 'content-length', 'expect', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Checks the name of the field that carries the deadline. @throws OptionError */
function deadlineField(value: unknown, where: string): void {
  token(value, where)
  if (FRAMING.has((value as string).toLowerCase())) refuse(where, value, 'the name of a field that does not frame the message')
}

/** Checks a header field that a listener adds to an attempt. @throws OptionError */
export function checkAddedHeader(name: string, value: string): void {
  const expected = 'the name of a field that does not frame the message'
  if (typeof name !== 'string' || FRAMING.has(name.toLowerCase())) refuse('setHeader', name, expected)
  headerFields({ [name]: value }, 'setHeader')
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
