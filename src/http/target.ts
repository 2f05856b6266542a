import { OptionError } from '../outcome/errors.ts'
import { parseUrl } from './origin.ts'

/** Where a call goes: an origin, and what comes after it. */
export interface Target {
  readonly origin: string
  /** Path and query. */
  readonly target: string
}

/** What the URL standard would leave as it is: plain characters, no dot segments, no empty query. */
const PLAIN = /^\/(?!\.|%2e)(?:[A-Za-z0-9\-._~!$&()*+,;=:@%?]|\/(?!\.|%2e))*(?<!\?)$/i

/** Splits a URL as it is written, without parsing it; undefined if the URL standard might have something to change. */
export function splitPlain(url: string): Target | undefined {
  const path = url.indexOf('/', 8)
  if (path === -1) return undefined
  const target = url.slice(path)
  return PLAIN.test(target) ? { origin: url.slice(0, path), target } : undefined
}

/** Splits a URL by the URL standard. @throws OptionError */
export function split(url: string | URL): Target {
  const parsed = parseUrl(url, 'url')
  return { origin: parsed.origin, target: parsed.pathname + parsed.search }
}

/** The target on a given origin; a path can never lead to another one. @throws OptionError */
export function targetOn(origin: string, path: string): string {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new OptionError('path', typeof path === 'string' ? 'one that does not' : `a value of type ${typeof path}`, "a string that begins with '/'")
  }
  return PLAIN.test(path) ? path : split(origin + path).target
}
