import { createClient } from '../../src/index.ts'
import { duration } from '../report/words.ts'
import { circuitStates, type Client } from './client.ts'

/** breakwater as it comes: a deadline is all that is said. */
export function breakwater(_url: string, deadline: number): Client {
  const client = createClient({ deadline })
  return {
    call: url => client.get(url).json(),
    circuit: url => {
      const endpoint = client.explain(url).snapshot?.endpoints[0]
      if (!endpoint) return undefined
      const { circuit, why, probeIn } = endpoint
      return { state: circuit, why: probeIn === undefined ? why : `${why}; probes within ${duration(probeIn)}` }
    },
    inside: url => {
      const snapshot = client.explain(url).snapshot
      if (!snapshot) return undefined
      const { limit: { max, inFlight, queued }, budget: { tokens }, endpoints } = snapshot
      const circuit = circuitStates.findIndex(state => state === endpoints[0]?.circuit)
      return { limit: max, inFlight, waiting: queued, tokens, circuit: Math.max(0, circuit) }
    },
    close: () => client.close(),
  }
}
