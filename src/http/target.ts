import { OptionError } from '../outcome/errors.ts'
import { parseUrl } from './origin.ts'

/** The URL of a call, split into its origin and the rest. */
export interface Target {
  readonly origin: string
  /** Path and query. */
  readonly target: string
}

/** A path and query that the URL parser would not change: plain characters, no dot segments, no empty query. */
const PLAIN = /^\/(?!\.|%2e)(?:[A-Za-z0-9\-._~!$&()*+,;=:@%?]|\/(?!\.|%2e))*(?<!\?)$/i

/** Splits a URL without parsing it; undefined if the URL parser might change it. */
export function splitPlain(url: string): Target | undefined {
  const path = url.indexOf('/', 8)
  if (path === -1) return undefined
  const target = url.slice(path)
  return PLAIN.test(target) ? { origin: url.slice(0, path), target } : undefined
}

/** Parses and splits a URL. @throws OptionError */
export function split(url: string | URL): Target {
  const parsed = parseUrl(url, 'url')
  return { origin: parsed.origin, target: parsed.pathname + parsed.search }
}

/** Resolves a path on a given origin; a path can never lead to another origin. @throws OptionError */
export function targetOn(origin: string, path: string): string {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    const given = typeof path === 'string' ? 'one that does not' : `a value of type ${typeof path}`
    throw new OptionError('path', given, "a string that begins with '/'")
  }
  return PLAIN.test(path) ? path : split(origin + path).target
}
