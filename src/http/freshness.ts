import type { HeaderFields } from './headers.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import { directivesOf, msOf, seconds, textOf, type Directives } from './cache-control.ts'
import { httpDate } from './date.ts'
import { isTracing } from './request-key.ts'

/** How old a reply may become, in ms. */
export interface Lifetime {
  /** Until when its origin calls it fresh. */
  readonly fresh: number
  /** Until when it may stand in for a reply that fails; Infinity where only the operator sets a bound. */
  readonly usable: number
}

/** Statuses worth keeping: good, and complete. */
const GOOD: ReadonlySet<number> = new Set([200, 203, 204])
/** What forbids to keep a reply in a cache that many share, or to use one without asking again. */
const NEVER = ['no-store', 'no-cache', 'private']
/** What forbids to use a reply that is no longer fresh (RFC 9111 §4.2.4); s-maxage does, too (§5.2.2.10). */
const FRESH_ONLY = ['must-revalidate', 'proxy-revalidate', 's-maxage']
/** What lets a shared cache keep the reply to a request with credentials (RFC 9111 §3.5). */
const FOR_ALL = ['public', 's-maxage', 'must-revalidate']

/** Whether a caller itself has put credentials into its request; those of the upstream's options are the same for all. */
export const hasCredentials = (headers: HeaderFields | undefined): boolean =>
  headers?.['authorization'] !== undefined || headers?.['cookie'] !== undefined

/** Whether a request is a matter for the cache at all: one for a part, or under a condition, is its caller's own business. */
export function isCacheable(headers: HeaderFields): boolean {
  for (const name of Object.keys(headers)) if (name === 'range' || name.startsWith('if-')) return false
  return !directivesOf(headers['cache-control']).has('no-store')
}

/**
 * How long the reply to a GET may be kept to stand in for one that fails, as a shared cache sees it (RFC 9111 §3, §4.2.4,
 * RFC 5861 §4); undefined if it must not be kept.
 *
 * @param credentials - whether the caller itself put any into the request.
 */
export function lifetimeOf(status: number, headers: ReplyHeaders, credentials: boolean): Lifetime | undefined {
  // One that sets a cookie was meant for one caller, whatever it says.
  if (!GOOD.has(status) || headers['set-cookie'] !== undefined || !isVaryKnown(headers['vary'])) return undefined
  const control = directivesOf(headers['cache-control'])
  if (hasOne(control, NEVER) || (credentials && !hasOne(control, FOR_ALL))) return undefined
  const fresh = msOf(control, 's-maxage') ?? msOf(control, 'max-age') ?? expiryOf(headers) ?? 0
  const beyond = hasOne(control, FRESH_ONLY) ? 0 : msOf(control, 'stale-if-error') ?? Infinity
  return fresh + beyond > 0 ? { fresh, usable: fresh + beyond } : undefined
}

/** How old a reply may be, in ms, for a request that says so itself; Infinity if it does not. */
export function ageWanted(headers: HeaderFields, { fresh }: Lifetime): number {
  const control = directivesOf(headers['cache-control'])
  if (control.has('no-cache')) return -1
  return Math.min(msOf(control, 'max-age') ?? Infinity, fresh + (msOf(control, 'stale-if-error') ?? Infinity))
}

/** How old a reply was when it came, in ms: what caches on its way said, and how long it took (RFC 9111 §4.2.3). */
export const ageOf = (headers: ReplyHeaders, took: number): number => (seconds(textOf(headers['age']).trim()) ?? 0) + took

const hasOne = (control: Directives, names: readonly string[]): boolean => names.some(name => control.has(name))

/** Requests are told apart by all their headers but those of tracing, so it is only those that `Vary` must not name. */
function isVaryKnown(field: string | string[] | undefined): boolean {
  return textOf(field).split(',').every(name => name.trim() !== '*' && !isTracing(name.trim().toLowerCase()))
}

/** Both dates are the origin's, so that its clock need not be right. */
function expiryOf(headers: ReplyHeaders): number | undefined {
  if (headers['expires'] === undefined) return undefined
  const [expires, date] = [httpDate(textOf(headers['expires'])), httpDate(textOf(headers['date']))]
  return expires === undefined || date === undefined ? 0 : Math.max(0, expires - date)
}
