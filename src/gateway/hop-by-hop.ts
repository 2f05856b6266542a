import { HOP_BY_HOP, TOKEN } from '../http/headers.ts'

/** Header fields as received: alternating names and values. */
export type RawFields = string[]

/** Calls a function for each field, with its name in lower case and as received. */
export function eachField(fields: readonly string[], visit: (name: string, value: string, original: string) => void): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const original = fields[i] as string
    visit(original.toLowerCase(), fields[i + 1] as string, original)
  }
}

/**
 * The name of a field in the form in which applications compare it: CGI, WSGI, Rack and PHP make the same variable of `x-role`
 * and `x_role` (RFC 3875 §4.1.18), and some of any other character that is neither a letter nor a digit.
 */
export const canonical = (name: string): string => name.toLowerCase().replaceAll(/[^a-z\d]/g, '-')

/**
 * The fields to forward: without hop-by-hop fields, those listed in `Connection`, those whose canonical name is in `excluded`,
 * and those with an invalid name.
 */
export function endToEnd(fields: readonly string[], excluded: ReadonlySet<string>): RawFields {
  const listed = new Set<string>()
  eachField(fields, (name, value) => {
    if (name === 'connection') for (const option of value.split(',')) listed.add(option.trim().toLowerCase())
  })
  const kept: RawFields = []
  eachField(fields, (name, value, original) => {
    if (HOP_BY_HOP.has(name) || listed.has(name) || excluded.has(canonical(name)) || !TOKEN.test(name)) return
    kept.push(original, value)
  })
  return kept
}
