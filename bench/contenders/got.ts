import { Agent } from 'node:http'
import { lengthOf, load, type Contender } from './contender.ts'

interface Got {
  (path: string): { json(): Promise<unknown>; buffer(): Promise<Uint8Array> }
  post(path: string, options: { readonly json: unknown }): { json(): Promise<unknown> }
  stream(path: string): AsyncIterable<Uint8Array>
  extend(options: object): Got
}

/** got, with its retries as they come and a keep-alive agent. */
export const got: Contender = {
  name: 'got',
  protection: 'retry, timeout',
  packages: ['got'],
  async open(origin, inFlight) {
    const { default: got } = await load<{ readonly default: Got }>('got')
    const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
    const client = got.extend({ prefixUrl: origin, agent: { http: agent }, timeout: { request: 10_000 } })
    return {
      json: path => client(path.slice(1)).json(),
      post: (path, value) => client.post(path.slice(1), { json: value }).json(),
      bytes: async path => (await client(path.slice(1)).buffer()).byteLength,
      stream: path => lengthOf(client.stream(path.slice(1))),
      close: () => { agent.destroy() },
    }
  },
}
