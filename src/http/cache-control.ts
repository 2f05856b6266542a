/** The directives of a Cache-Control field, names in lower case; one without a value has an empty one. */
export type Directives = ReadonlyMap<string, string>

type Field = string | readonly string[] | undefined

const DIRECTIVE = /([^\s,;="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g
const NONE: Directives = new Map()

/** Reads a Cache-Control field (RFC 9111 §5.2). Of a directive that comes twice the first counts (§4.2.1). */
export function directivesOf(field: Field): Directives {
  if (field === undefined) return NONE
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain] of textOf(field).matchAll(DIRECTIVE)) {
    const key = name.toLowerCase()
    if (!found.has(key)) found.set(key, quoted ?? plain ?? '')
  }
  return found
}

/**
 * What a directive says, in ms; undefined if it is not there. One that makes no sense is 0: what is wrong is taken for stale
 * (RFC 9111 §4.2.1).
 */
export function msOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : seconds(value) ?? 0
}

/** Delta-seconds as ms (RFC 9111 §1.2.2); undefined for anything else. */
export function seconds(text: string): number | undefined {
  return /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) * 1_000 : undefined
}

/** All lines of a field as one. */
export const textOf = (field: Field): string => (field === undefined ? '' : typeof field === 'string' ? field : field.join(', '))
