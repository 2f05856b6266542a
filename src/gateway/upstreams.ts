import type { IncomingMessage } from 'node:http'
import type { Client } from '../client/client.ts'
import { OptionError } from '../outcome/errors.ts'
import { refuse } from '../options/refuse.ts'
import { parseOrigin } from '../http/origin.ts'
import type { GatewayOptions } from './options.ts'

/** Where a request goes. */
export interface Destination {
  readonly origin: string
  /** As clients may be told; an address is nothing to tell them. */
  readonly name: string | undefined
}

/** Says where a request goes; undefined: nowhere from here. */
export type Choose = (req: IncomingMessage) => Destination | undefined

/**
 * Finds where requests go. @throws OptionError if the one upstream there is may not be called, or there is none of its name;
 * what it returns throws the same for what a function chose.
 */
export function chooserOf(client: Client, upstream: GatewayOptions['upstream']): Choose {
  if (typeof upstream === 'string') {
    const only = destinationOf(client, upstream)
    if (client.explain(only.origin).allowed) return () => only
    const sentence = '`upstream` may not be called: the client\'s `allow` option does not permit it'
    throw new OptionError('upstream', only.name ?? 'an origin', 'an upstream that the client may call', sentence)
  }
  // There are as many as upstreams are configured.
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
