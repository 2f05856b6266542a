import type { IncomingMessage } from 'node:http'
import { OptionError } from '../errors.ts'
import { forwarded } from './forwarded.ts'
import { endToEnd, type Fields } from './hop-by-hop.ts'
import type { GatewayPolicy } from './options.ts'

/** What is said anew to the upstream: where the message goes and how long it is. Node has answered `Expect` already. */
const SAID_ANEW: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])
const PATH = /^\/[!-~\x80-\xff]*$/

/**
 * The path of a request, query included; undefined if it has none. The host in an absolute target is not asked for: it must not
 * choose where the request goes.
 */
export function targetOf({ url = '' }: IncomingMessage): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?=$|\?)/, '/')
  return PATH.test(path) ? path : undefined
}

/** The path for the upstream. @throws OptionError when the option `path` gives none. */
export function pathFor(path: string, req: IncomingMessage, policy: GatewayPolicy): string {
  if (policy.path === undefined) return path
  const made: unknown = policy.path(path, req)
  // The path itself is not in the message: its query may be secret.
  if (typeof made !== 'string' || !PATH.test(made)) throw new OptionError('path()', 'something else', 'a path that begins with /')
  return made
}

/** The header for the upstream. undici frames the body: with the length it has, or in chunks. */
export function headerFor(req: IncomingMessage, { forwarded: mode, via }: GatewayPolicy): Fields {
  const fields = forwarded(endToEnd(req.rawHeaders, SAID_ANEW), req, mode)
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  if (coding === undefined && length !== undefined) fields.push('content-length', length)
  fields.push('via', `${req.httpVersion} ${via}`)
  return fields
}
