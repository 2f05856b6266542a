/** The directives of a Cache-Control field, names in lower case; a directive without a value has the empty string. */
export type Directives = ReadonlyMap<string, string>

type Field = string | readonly string[] | undefined

const DIRECTIVE = /([^\s,;="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g
const NO_DIRECTIVES: Directives = new Map()

/** Parses a Cache-Control field (RFC 9111 §5.2). If a directive occurs twice, the first one counts (§4.2.1). */
export function directivesOf(field: Field): Directives {
  if (field === undefined) return NO_DIRECTIVES
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain] of textOf(field).matchAll(DIRECTIVE)) {
    const key = name.toLowerCase()
    if (!found.has(key)) found.set(key, quoted ?? plain ?? '')
  }
  return found
}

/**
 * The value of a directive in ms; undefined if it is absent. An invalid value is 0, as invalid freshness information means
 * stale (RFC 9111 §4.2.1).
 */
export function msOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : seconds(value) ?? 0
}

/** Delta-seconds as ms (RFC 9111 §1.2.2); undefined for anything else. */
export function seconds(text: string): number | undefined {
  return /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) * 1_000 : undefined
}

/** All lines of a field, joined. */
export const textOf = (field: Field): string => (field === undefined ? '' : typeof field === 'string' ? field : field.join(', '))
