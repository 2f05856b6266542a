import { lengthOf, type Calls, type Contender } from './contender.ts'

/** The calls of a function like `fetch`. */
export const fetchCalls = (origin: string, fetch: typeof globalThis.fetch): Calls => ({
  json: async path => (await fetch(origin + path)).json(),
  post: async (path, value) => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(value) })).json()
  },
  bytes: async path => (await (await fetch(origin + path)).arrayBuffer()).byteLength,
  stream: async path => lengthOf((await fetch(origin + path)).body as AsyncIterable<Uint8Array>),
  close: () => undefined,
})

/** The fetch that comes with Node. Its process must not load undici, which would take its place. */
export const globalFetch: Contender = {
  name: 'global fetch',
  protection: 'none',
  packages: [],
  open: origin => fetchCalls(origin, fetch),
}
