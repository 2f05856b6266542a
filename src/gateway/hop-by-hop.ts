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
 * The fields to forward: without hop-by-hop fields, those listed in `Connection`, those in `excluded`, and those with an invalid
 * name.
 */
export function endToEnd(fields: readonly string[], excluded: ReadonlySet<string>): RawFields {
  const listed = new Set<string>()
  eachField(fields, (name, value) => {
    if (name === 'connection') for (const option of value.split(',')) listed.add(option.trim().toLowerCase())
  })
  const kept: RawFields = []
  eachField(fields, (name, value, original) => {
    if (HOP_BY_HOP.has(name) || listed.has(name) || excluded.has(name) || !TOKEN.test(name)) return
    kept.push(original, value)
  })
  return kept
}
