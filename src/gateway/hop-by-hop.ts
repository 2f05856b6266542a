import { HOP_BY_HOP, TOKEN } from '../http/headers.ts'

/** Header fields as they came: names and values in turn. */
export type Fields = string[]

/** Calls with each field, its name in lower case too. */
export function eachField(fields: readonly string[], see: (name: string, value: string, written: string) => void): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const written = fields[i] as string
    see(written.toLowerCase(), fields[i + 1] as string, written)
  }
}

/**
 * The fields that go on to the next hop: none that concerns this connection only, none that `Connection` lists, none of
 * `besides`, and nothing whose name is none.
 */
export function endToEnd(fields: readonly string[], besides: ReadonlySet<string>): Fields {
  const listed = new Set<string>()
  eachField(fields, (name, value) => {
    if (name === 'connection') for (const option of value.split(',')) listed.add(option.trim().toLowerCase())
  })
  const kept: Fields = []
  eachField(fields, (name, value, written) => {
    if (HOP_BY_HOP.has(name) || listed.has(name) || besides.has(name) || !TOKEN.test(name)) return
    kept.push(written, value)
  })
  return kept
}
