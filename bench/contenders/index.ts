import type { Contender } from './contender.ts'

/** What all the others are measured by. */
export const BASELINE = 'undici pool.request'

/** What is being compared, by name: each is loaded only in the process that measures it. */
export const CONTENDERS: Readonly<Record<string, () => Promise<Contender>>> = {
  [BASELINE]: async () => (await import('./undici.ts')).barePool,
  'breakwater': async () => (await import('./breakwater.ts')).breakwater,
  'undici request': async () => (await import('./undici.ts')).bareRequest,
  'node:http': async () => (await import('./http.ts')).nodeHttp,
  'opossum + p-retry': async () => (await import('./opossum.ts')).opossum,
  'cockatiel ×4': async () => (await import('./cockatiel.ts')).cockatiel,
  'undici fetch': async () => (await import('./undici.ts')).undiciFetch,
  'global fetch': async () => (await import('./fetch.ts')).globalFetch,
  'ky': async () => (await import('./ky.ts')).ky,
  'got': async () => (await import('./got.ts')).got,
  'axios + axios-retry': async () => (await import('./axios.ts')).axios,
}

/** Finds one. */
export function contender(name: string): Promise<Contender> {
  const make = CONTENDERS[name]
  if (make === undefined) throw new Error(`nobody is called ${name}`)
  return make()
}
