import type { HeaderFields } from './headers.ts'
import type { Reply, ReplyHeaders } from '../outcome/reply.ts'
import { directivesOf, msOf, seconds, textOf, type Directives } from './cache-control.ts'
import { httpDate } from './date.ts'
import { isTracing } from './request-key.ts'

/** The ages, in ms, up to which a reply may be used. */
export interface Lifetime {
  /** Up to this age its origin considers it fresh. */
  readonly fresh: number
  /** Up to this age it may replace an error; Infinity if only the operator sets a limit. */
  readonly usable: number
}

/** Statuses of successful, complete replies. */
const STORABLE: ReadonlySet<number> = new Set([200, 203, 204])
/** Directives that forbid storing a reply in a shared cache, or using it without revalidation. */
const FORBIDS_STORING = ['no-store', 'no-cache', 'private']
/** Directives that forbid sharing a reply, even among calls that are in flight together. */
const FORBIDS_SHARING = ['no-store', 'private']
/** Directives that forbid using a reply that is no longer fresh (RFC 9111 §4.2.4, and §5.2.2.10 for s-maxage). */
const FRESH_ONLY = ['must-revalidate', 'proxy-revalidate', 's-maxage']
/** Directives that let a shared cache store the reply to a request with credentials (RFC 9111 §3.5). */
const FOR_ALL = ['public', 's-maxage', 'must-revalidate']

/** Whether the caller itself put credentials into its request; those in the upstream's options are the same for all calls. */
export const hasCredentials = (headers: HeaderFields | undefined): boolean =>
  headers?.['authorization'] !== undefined || headers?.['cookie'] !== undefined

/** Whether a request may use the cache: not if it is a range request, is conditional, or says no-store. */
export function isCacheable(headers: HeaderFields): boolean {
  for (const name of Object.keys(headers)) if (name === 'range' || name.startsWith('if-')) return false
  return !directivesOf(headers['cache-control']).has('no-store')
}

/**
 * Whether a reply is meant for the sender of this one request: listeners have added fields to the request that are not part of
 * its key (credentials, mostly), or the reply itself forbids sharing. No other call may have it.
 */
export const isPersonal = ({ headers, added }: Pick<Reply, 'headers' | 'added'>): boolean =>
  hasKeylessFields(added) || headers['set-cookie'] !== undefined || !isVaryKnown(headers['vary'])
  || hasOne(directivesOf(headers['cache-control']), FORBIDS_SHARING)

/** Whether fields that listeners added affect the reply: all but tracing headers can. */
export const hasKeylessFields = (added: Reply['added']): boolean =>
  added !== undefined && !Object.keys(added).every(isTracing)

/**
 * How long the reply to a GET may be stored to replace an error, by the rules for a shared cache (RFC 9111 §3, §4.2.4, RFC 5861
 * §4); undefined if it must not be stored.
 *
 * @param credentials - whether the caller itself put credentials into the request.
 */
export function lifetimeOf(status: number, headers: ReplyHeaders, credentials: boolean): Lifetime | undefined {
  // A reply that sets a cookie is meant for one caller, whatever its Cache-Control says.
  if (!STORABLE.has(status) || headers['set-cookie'] !== undefined || !isVaryKnown(headers['vary'])) return undefined
  const control = directivesOf(headers['cache-control'])
  if (hasOne(control, FORBIDS_STORING) || (credentials && !hasOne(control, FOR_ALL))) return undefined
  const fresh = msOf(control, 's-maxage') ?? msOf(control, 'max-age') ?? expiryOf(headers) ?? 0
  const beyond = hasOne(control, FRESH_ONLY) ? 0 : msOf(control, 'stale-if-error') ?? Infinity
  return fresh + beyond > 0 ? { fresh, usable: fresh + beyond } : undefined
}

/** The maximum age, in ms, that the request itself accepts; Infinity if it does not say. */
export function acceptedAge(headers: HeaderFields, { fresh }: Lifetime): number {
  const control = directivesOf(headers['cache-control'])
  if (control.has('no-cache')) return -1
  return Math.min(msOf(control, 'max-age') ?? Infinity, fresh + (msOf(control, 'stale-if-error') ?? Infinity))
}

/** The age of a reply when it arrived, in ms: the Age that caches on the way reported, plus its latency (RFC 9111 §4.2.3). */
export const ageOf = (headers: ReplyHeaders, latency: number): number => (seconds(textOf(headers['age']).trim()) ?? 0) + latency

const hasOne = (control: Directives, names: readonly string[]): boolean => names.some(name => control.has(name))

/** The key of a request contains all headers except tracing headers, so `Vary` may name any field but those. */
function isVaryKnown(field: string | string[] | undefined): boolean {
  return textOf(field).split(',').every(name => name.trim() !== '*' && !isTracing(name.trim().toLowerCase()))
}

/** Both dates come from the origin, so its clock need not be right. */
function expiryOf(headers: ReplyHeaders): number | undefined {
  if (headers['expires'] === undefined) return undefined
  const [expires, date] = [httpDate(textOf(headers['expires'])), httpDate(textOf(headers['date']))]
  return expires === undefined || date === undefined ? 0 : Math.max(0, expires - date)
}
