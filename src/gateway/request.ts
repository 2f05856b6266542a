import type { IncomingMessage } from 'node:http'
import { OptionError } from '../outcome/errors.ts'
import { forwarded } from './forwarded.ts'
import type { HeaderFields } from '../http/headers.ts'
import { endToEnd, type Fields } from './hop-by-hop.ts'
import type { GatewayPolicy } from './options.ts'

/** What is said anew to the upstream: where the message goes and how long it is. Node has answered `Expect` already. */
const SAID_ANEW: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])
const PATH = /^\/[!-~\x80-\xff]*$/
/** What leads up in the path, however it is written; browsers resolve it before they send. */
const DOTS = /^[^?]*[/\\](?:\.|%2e){1,2}(?:[/\\?]|%2f|%5c|$)/i

/**
 * The path of a request, query included; undefined if it has none. The host in an absolute target is not asked for: it must not
 * choose where the request goes. Nor has one with dot segments a path: they would lead out of what `path` or the choice of the
 * upstream takes it for.
 */
export function targetOf({ url = '' }: IncomingMessage): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?=$|\?)/, '/')
  return PATH.test(path) && !DOTS.test(path) ? path : undefined
}

/** The path for the upstream. @throws OptionError when the option `path` gives none. */
export function pathFor(path: string, req: IncomingMessage, policy: GatewayPolicy): string {
  if (policy.path === undefined) return path
  const made: unknown = policy.path(path, req)
  // The path itself is not in the message: its query may be secret.
  if (typeof made !== 'string' || !PATH.test(made)) {
    throw new OptionError('path()', 'something else', 'a path', "`path()` must return a valid path that begins with '/'")
  }
  return made
}

/**
 * The header for the upstream. undici frames the body: with the length it has, or in chunks. What the upstream's own options set
 * is not the client's to say: it may be a credential of the service.
 */
export function headerFor(req: IncomingMessage, { forwarded: mode, via }: GatewayPolicy, own: HeaderFields = {}): Fields {
  const fields = forwarded(endToEnd(req.rawHeaders, new Set([...SAID_ANEW, ...Object.keys(own)])), req, mode)
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  if (coding === undefined && length !== undefined) fields.push('content-length', length)
  fields.push('via', `${req.httpVersion} ${via}`)
  return fields
}
