import { Agent } from 'node:http'
import { lengthOf, load, type Contender } from './contender.ts'

interface Reply<Data> {
  readonly data: Data
}
interface Axios {
  create(options: object): Axios
  get<Data>(path: string, options?: { readonly responseType: 'arraybuffer' | 'stream' }): Promise<Reply<Data>>
  post(path: string, value: unknown): Promise<Reply<unknown>>
}

/** axios with axios-retry and a keep-alive agent. */
export const axios: Contender = {
  name: 'axios + axios-retry',
  protection: 'retry, timeout',
  packages: ['axios', 'axios-retry'],
  async open(origin, inFlight) {
    const { default: axios } = await load<{ readonly default: Axios }>('axios')
    const { default: retry } = await load<{ readonly default: (client: Axios, options: object) => void }>('axios-retry')
    const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
    const client = axios.create({ baseURL: origin, httpAgent: agent, timeout: 10_000, proxy: false })
    retry(client, { retries: 3 })
    return {
      json: async path => (await client.get(path)).data,
      post: async (path, value) => (await client.post(path, value)).data,
      bytes: async path => (await client.get<Buffer>(path, { responseType: 'arraybuffer' })).data.byteLength,
      stream: async path => lengthOf((await client.get<AsyncIterable<Buffer>>(path, { responseType: 'stream' })).data),
      close: () => { agent.destroy() },
    }
  },
}
