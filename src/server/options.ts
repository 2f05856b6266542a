/** The options of `breakwater/server`: what they do, their defaults and their checks. Durations are in ms. */
import { constants } from 'node:os'
import type { Env } from '../clock.ts'
import { boolean, callable, checkShape, env, finiteMs, list, msOrZero, positive, rate, text } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'
import type { ShutdownEvent } from './steps.ts'

/** Options of `createHealth()`. */
export interface HealthOptions {
  /** The path of the liveness check. @default '/livez' */
  readonly livePath?: string
  /** The path of the readiness check. @default '/readyz' */
  readonly readyPath?: string
  /**
   * Upstreams, by name or origin, without which this service cannot answer any request. Only these can make a replica
   * unready, and only during its turn: see `unreadyShare`. @default []
   */
  readonly critical?: readonly string[]
  /** How long a critical upstream must refuse calls before that counts as an outage, in ms. @default 10000 */
  readonly outageAfter?: number
  /** How long it must refuse no calls before the outage is over, in ms. @default 15000 */
  readonly recoveryAfter?: number
  /**
   * The share of an outage during which a replica is unready, 0–1, and so the share of replicas that are unready at a time.
   * With 1, all replicas are unready; for a load balancer that sends to all when none is ready. @default 0.1
   */
  readonly unreadyShare?: number
  /** How long a replica stays unready at a time, in ms. @default 30000 */
  readonly maxUnready?: number
  /** Whether the response contains more than a status: the upstreams, their addresses and circuits. @default true */
  readonly details?: boolean
  /** Whether the response contains the last errors as well: their messages contain methods and paths. @default false */
  readonly errors?: boolean
  /** The maximum number of upstreams in a report, the worst first. @default 100 */
  readonly maxUpstreams?: number
  /** How long a report is reused, in ms; this bounds the cost of frequent probes. @default 500 */
  readonly refresh?: number
  /** The sources of time and chance, for tests. */
  readonly env?: Env
}

/** Options of `gracefulShutdown()`. */
export interface ShutdownOptions {
  /** Signals that start the shutdown; with none, only a call does. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[]
  /**
   * How long requests are still accepted after readiness has failed, so that the load balancer can react, in ms. There is no
   * grace after a SIGINT, which comes from a terminal. @default 8000, or a third of timeout if that is less
   */
  readonly grace?: number
  /**
   * The maximum duration of the whole shutdown, in ms; the last tenth of it, at most 2 s, is reserved for `cleanup`. Keep it
   * below Kubernetes' `terminationGracePeriodSeconds`, which is 30 s by default. @default 25000
   */
  readonly timeout?: number
  /**
   * How long a connection without a request in flight may stay open once no connections are accepted, in ms: an upgraded one
   * (WebSocket), or one whose request is still arriving. Infinity: until the timeout. @default 1000
   */
  readonly linger?: number
  /**
   * Whether to exit the process at the end: with 0 if everything was finished, with 1 if something was cut off.
   * @default true after a signal, false after a call
   */
  readonly exit?: boolean
  /**
   * Runs last, when no request is in flight and the client is closed: close a database, flush a log. A promise it returns is
   * awaited.
   */
  readonly cleanup?: () => unknown
  /** Called at each step; for logs, and for closing WebSockets cleanly (at `stopping`). */
  readonly onStep?: (event: ShutdownEvent) => unknown
  /** The sources of time and chance, for tests. */
  readonly env?: Env
}

/** {@link HealthOptions}, completed. */
export type HealthSettings = Required<Omit<HealthOptions, 'env'>>
/** {@link ShutdownOptions}, completed. */
export type ShutdownSettings = Required<Omit<ShutdownOptions, 'exit' | 'cleanup' | 'onStep' | 'env'>>

/** The defaults of `createHealth()`. */
export const HEALTH: HealthSettings = {
  livePath: '/livez', readyPath: '/readyz', critical: [], outageAfter: 10_000, recoveryAfter: 15_000,
  unreadyShare: 0.1, maxUnready: 30_000, details: true, errors: false, maxUpstreams: 100, refresh: 500,
}
/** The defaults of `gracefulShutdown()`. */
export const SHUTDOWN: ShutdownSettings = { signals: ['SIGTERM', 'SIGINT'], grace: 8_000, timeout: 25_000, linger: 1_000 }

const path = (value: unknown, where: string): void => {
  const isPath = typeof value === 'string' && /^\/[^?#]*$/.test(value)
  if (!isPath) refuse(where, value, "a path that begins with '/' and has no query")
}
const signal = (value: unknown, where: string): void => {
  const isKnown = typeof value === 'string' && Object.hasOwn(constants.signals, value)
  if (!isKnown || value === 'SIGKILL' || value === 'SIGSTOP') refuse(where, value, 'the name of a signal that can be caught')
}
const orInfinite = (value: unknown, where: string): void => {
  if (value !== Infinity) msOrZero(value, where)
}

/** Checks and completes the options of `createHealth()`. @throws OptionError */
export function healthSettings(options: HealthOptions): HealthSettings {
  checkShape(options, {
    livePath: path, readyPath: path, critical: list(text), outageAfter: msOrZero, recoveryAfter: msOrZero,
    unreadyShare: rate, maxUnready: finiteMs, details: boolean, errors: boolean, maxUpstreams: positive, refresh: msOrZero, env,
  })
  return completed(HEALTH, options)
}

/** Checks and completes the options of `gracefulShutdown()`. @throws OptionError */
export function shutdownSettings(options: ShutdownOptions): ShutdownSettings {
  checkShape(options, {
    signals: list(signal), grace: msOrZero, timeout: finiteMs, linger: orInfinite,
    exit: boolean, cleanup: callable, onStep: callable, env,
  })
  const settings = completed(SHUTDOWN, options)
  if (options.grace === undefined) return { ...settings, grace: Math.min(settings.grace, settings.timeout / 3) }
  if (settings.grace >= settings.timeout) refuse('grace', settings.grace, `less than timeout (${settings.timeout} ms)`)
  return settings
}

/** Completes options with the defaults. Own properties only; undefined counts as not given. */
const completed = <T extends object>(defaults: T, given: object): T => {
  const own: Record<string, unknown> = { ...given }
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, own[name] ?? value])) as T
}
