import { createClient } from '../../src/index.ts'
import { lengthOf, type Contender } from './contender.ts'

/** The client under test as it comes: every protection on. Only more calls in flight than its limit has need a word. */
export const breakwater: Contender = {
  name: 'breakwater',
  protection: 'deadline, retry with budget, limit with queue, circuit breaker: the defaults',
  packages: ['breakwater'],
  open(origin, inFlight) {
    const client = createClient(inFlight <= 256 ? {} : { limit: { adaptive: false, max: inFlight } })
    return {
      json: path => client.get(origin + path).json(),
      post: (path, value) => client.post(origin + path, { json: value }).json(),
      bytes: async path => (await client.get(origin + path).bytes()).byteLength,
      stream: async path => lengthOf((await client.stream('GET', origin + path)).body as AsyncIterable<Uint8Array>),
      close: () => client.close(),
    }
  },
}
