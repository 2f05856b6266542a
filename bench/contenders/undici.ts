import { fetch, Pool, request, type Dispatcher } from 'undici'
import { lengthOf, type Calls, type Contender } from './contender.ts'
import { fetchCalls } from './fetch.ts'

/** One exchange with undici, to be protected by whoever calls it. */
export type Exchange = (path: string, options?: ExchangeOptions) => Promise<Dispatcher.ResponseData>

/** What may be said of an exchange. */
export interface ExchangeOptions {
  readonly body?: string
  readonly signal?: AbortSignal
}

/** The calls made of one way to exchange; protection ends at the headers, as it does for those who wrap undici so. */
export const exchangeCalls = (exchange: Exchange, close: Calls['close']): Calls => ({
  json: async path => (await exchange(path)).body.json(),
  post: async (path, value) => (await exchange(path, { body: JSON.stringify(value) })).body.json(),
  bytes: async path => (await (await exchange(path)).body.arrayBuffer()).byteLength,
  stream: async path => lengthOf((await exchange(path)).body as AsyncIterable<Uint8Array>),
  close,
})

/** What is sent for given options. */
export const requestOptions = ({ body, signal }: ExchangeOptions = {}): Omit<Dispatcher.RequestOptions, 'path' | 'origin'> => ({
  method: body === undefined ? 'GET' : 'POST',
  ...body !== undefined && { body, headers: { 'content-type': 'application/json' } },
  ...signal !== undefined && { signal },
})

/** An exchange over a pool of one's own. */
export const poolExchange = (pool: Pool): Exchange => (path, options) => pool.request({ path, ...requestOptions(options) })

/** What all the others are measured by. */
export const barePool: Contender = {
  name: 'undici pool.request',
  protection: 'none',
  packages: ['undici'],
  open(origin) {
    const pool = new Pool(origin)
    return exchangeCalls(poolExchange(pool), () => pool.destroy())
  },
}

/** The function most people know. */
export const bareRequest: Contender = {
  name: 'undici request',
  protection: 'none',
  packages: ['undici'],
  open: origin => exchangeCalls((path, options) => request(origin + path, requestOptions(options)), () => undefined),
}

/** undici's fetch. */
export const undiciFetch: Contender = {
  name: 'undici fetch',
  protection: 'none',
  packages: ['undici'],
  open: origin => fetchCalls(origin, fetch as unknown as typeof globalThis.fetch),
}
