import { OptionError } from '../outcome/errors.ts'

/**
 * Parses an http or https URL without credentials.
 * @throws OptionError for anything else. The message does not contain the URL: its credentials or query may be secret.
 */
export function parseUrl(url: string | URL, where: string): URL {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new OptionError(where, 'an invalid or relative URL', 'an absolute http or https URL')
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new OptionError(where, `a URL with the scheme ${parsed.protocol}`, 'an http or https URL')
  }
  if (parsed.username !== '' || parsed.password !== '') {
    const sentence = `\`${where}\` must not contain credentials: send them in an authorization header`
    throw new OptionError(where, 'a URL with credentials', 'a URL without credentials', sentence)
  }
  return parsed
}

/**
 * Parses a URL that must be an origin and nothing more. @returns the origin as the URL standard serialises it: lower case, no
 * default port. @throws OptionError
 */
export function parseOrigin(url: string, where: string): string {
  const parsed = parseUrl(url, where)
  if (parsed.pathname !== '/' || parsed.search !== '' || parsed.hash !== '') {
    throw new OptionError(where, 'a URL with a path, query or fragment', 'an origin such as http://payments.internal:8080')
  }
  return parsed.origin
}

/** The path of an upstream's options within the client's, for error messages; credentials in a URL are left out. */
export const sourceOf = (name: string): string => {
  if (/^[\w$]+$/.test(name)) return `upstreams.${name}`
  return `upstreams['${name.includes('@') ? `…${name.slice(name.lastIndexOf('@'))}` : name}']`
}

/** Matches origins. */
export interface OriginMatcher {
  readonly pattern: string
  matches(origin: string): boolean
}

/** A pattern is an origin in which `*` stands for one or more labels of the host name, or for any port. */
const PATTERN = /^https?:\/\/(?:\*|[a-z0-9_-]+)(?:\.[a-z0-9_-]+)*(?::(?:\d{1,5}|\*))?$/i

/**
 * Compiles an origin or a pattern such as `https://*.search.internal`.
 * @throws OptionError if it is neither.
 */
export function compileOrigin(pattern: string, where: string): OriginMatcher {
  if (!pattern.includes('*')) {
    const origin = parseOrigin(pattern, where)
    return { pattern: origin, matches: other => other === origin }
  }
  if (!PATTERN.test(pattern)) {
    throw new OptionError(where, 'an invalid pattern', 'an origin or a pattern such as https://*.search.internal')
  }
  // The host and port contain no slash, so a star cannot match into a path; origins have no path anyway.
  const [scheme, rest = ''] = pattern.toLowerCase().split('://')
  const source = rest.replace(/:\*$/, '(?::PORT)?').replaceAll('.', '\\.').replaceAll('*', '[a-z0-9_.-]+').replace('PORT', '\\d+')
  const port = scheme === 'http' ? ':80' : ':443'
  const expression = new RegExp(`^${scheme ?? ''}://${source.endsWith(port) ? source.slice(0, -port.length) : source}$`)
  return { pattern: pattern.toLowerCase(), matches: origin => expression.test(origin) }
}
