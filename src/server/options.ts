/** The options of `breakwater/server`: what they do, their defaults and their checks. Durations are ms. */
import { constants } from 'node:os'
import type { Env } from '../clock.ts'
import { boolean, callable, checkShape, env, finiteMs, list, msOrZero, positive, rate, text } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'
import type { ShutdownEvent } from './steps.ts'

/** Options of `createHealth()`. */
export interface HealthOptions {
  /** Where liveness is asked for. @default '/livez' */
  readonly livePath?: string
  /** Where readiness is asked for. @default '/readyz' */
  readonly readyPath?: string
  /**
   * Upstreams, by name or origin, without which this service has nothing to answer. Only they can make a replica
   * unready, and only for its turn: see `unreadyShare`. @default []
   */
  readonly critical?: readonly string[]
  /** How long a critical upstream must have refused calls before it is an outage, in ms. @default 10000 */
  readonly outageAfter?: number
  /** How long it must not have done so before the outage is over, in ms. @default 15000 */
  readonly recoveryAfter?: number
  /**
   * The share of an outage that a replica is unready for, 0–1, and so the share of replicas that are unready at a time;
   * 1: all of them, for a load balancer that sends to all when none is ready. @default 0.1
   */
  readonly unreadyShare?: number
  /** How long a replica stays unready at a stretch, in ms. @default 30000 */
  readonly maxUnready?: number
  /** Whether the reply says more than a status: the upstreams, their addresses and circuits. @default true */
  readonly details?: boolean
  /** Whether the last errors are told, too: their messages hold methods and paths. @default false */
  readonly errors?: boolean
  /** Upstreams told of at most, the worst first. @default 100 */
  readonly maxUpstreams?: number
  /** How long a report is given out before another is made, in ms: what many probes cost at most. @default 500 */
  readonly refresh?: number
  /** Time and chance; a test puts its own here. */
  readonly env?: Env
}

/** Options of `gracefulShutdown()`. */
export interface ShutdownOptions {
  /** Signals that begin it; none: only you do. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[]
  /**
   * How long requests are still accepted after readiness has failed, so that the load balancer hears of it, in ms. A
   * SIGINT has none: that is somebody at a terminal. @default 8000, or a third of timeout if that is less
   */
  readonly grace?: number
  /**
   * Longest time all of it may take, in ms; the last tenth of it, at most 2 s, is for `cleanup` alone. Keep it below
   * Kubernetes' `terminationGracePeriodSeconds`, which is 30 s by default. @default 25000
   */
  readonly timeout?: number
  /**
   * How long a connection with no request in flight may stay after we have stopped accepting, in ms: an upgraded one
   * (WebSocket), or one whose request is only arriving. Infinity: as long as the timeout lets it. @default 1000
   */
  readonly linger?: number
  /**
   * Whether to end the process when all is done: 0 when everything was finished, 1 when something was cut off.
   * @default true after a signal, false when you began it
   */
  readonly exit?: boolean
  /**
   * Runs last, when no request is in flight and the client is closed: close a database, flush a log. Its promise is
   * waited for.
   */
  readonly cleanup?: () => unknown
  /** Hears of each step; a place to log, and to say good-bye to WebSockets (at `stopping`). */
  readonly onStep?: (event: ShutdownEvent) => unknown
  /** Time and chance; a test puts its own here. */
  readonly env?: Env
}

/** {@link HealthOptions}, completed. */
export type HealthSettings = Required<Omit<HealthOptions, 'env'>>
/** {@link ShutdownOptions}, completed. */
export type ShutdownSettings = Required<Omit<ShutdownOptions, 'exit' | 'cleanup' | 'onStep' | 'env'>>

/** What `createHealth()` does unless told otherwise. */
export const HEALTH: HealthSettings = {
  livePath: '/livez', readyPath: '/readyz', critical: [], outageAfter: 10_000, recoveryAfter: 15_000,
  unreadyShare: 0.1, maxUnready: 30_000, details: true, errors: false, maxUpstreams: 100, refresh: 500,
}
/** What `gracefulShutdown()` does unless told otherwise. */
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

/** Lays what was given, and is not undefined, over the defaults. Own properties only. */
const completed = <T extends object>(defaults: T, given: object): T => {
  const own: Record<string, unknown> = { ...given }
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, own[name] ?? value])) as T
}
