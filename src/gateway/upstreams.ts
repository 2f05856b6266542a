import type { IncomingMessage } from 'node:http'
import type { Client } from '../client/client.ts'
import { OptionError } from '../outcome/errors.ts'
import { refuse } from '../options/refuse.ts'
import { parseOrigin } from '../http/origin.ts'
import type { GatewayOptions } from './options.ts'

/** The destination of a request. */
export interface Destination {
  readonly origin: string
  /** The name that clients may see; undefined for an upstream given by its address, which they must not see. */
  readonly name: string | undefined
}

/** Chooses the destination of a request; undefined if it has none. */
export type Choose = (req: IncomingMessage) => Destination | undefined

/**
 * Creates the function that chooses destinations. @throws OptionError if the upstream is unknown or may not be called; if a
 * function chooses upstreams, the result throws it.
 */
export function chooserOf(client: Client, upstream: GatewayOptions['upstream']): Choose {
  if (typeof upstream === 'string') {
    const only = destinationOf(client, upstream)
    if (client.explain(only.origin).allowed) return () => only
    const sentence = '`upstream` may not be called: the client\'s `allow` option does not permit it'
    throw new OptionError('upstream', only.name ?? 'an origin', 'an upstream that the client may call', sentence)
  }
  // Bounded by the number of configured upstreams.
  const byName = new Map<string, Destination>()
  return req => {
    const chosen: unknown = upstream(req)
    if (chosen === undefined) return undefined
    if (typeof chosen !== 'string') refuse('upstream()', chosen, 'a name, an origin or undefined')
    const known = byName.get(chosen)
    if (known !== undefined) return known
    const found = destinationOf(client, chosen)
    if (found.name !== undefined) byName.set(chosen, found)
    return found
  }
}

function destinationOf(client: Client, chosen: string): Destination {
  if (chosen.includes('://')) return { origin: parseOrigin(chosen, 'upstream'), name: undefined }
  return { origin: client.upstream(chosen).snapshot().endpoints[0]?.origin ?? '', name: chosen }
}
