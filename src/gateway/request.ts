import type { IncomingMessage } from 'node:http'
import { OptionError } from '../outcome/errors.ts'
import { forwarded } from './forwarded.ts'
import type { HeaderFields } from '../http/headers.ts'
import { endToEnd, type RawFields } from './hop-by-hop.ts'
import type { GatewayPolicy } from './options.ts'

/** Fields that are not forwarded, as they are set anew for the upstream; Node has already handled `Expect`. */
const REPLACED: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])
const PATH = /^\/[!-~\x80-\xff]*$/
/** Dot segments, in any encoding; browsers resolve them before they send a request. */
const DOTS = /^[^?]*[/\\](?:\.|%2e){1,2}(?:[/\\?]|%2f|%5c|$)/i

/**
 * The path of a request, query included; undefined if it is invalid. The host of an absolute target is ignored: it must not
 * choose the upstream. A path with dot segments is invalid: it could lead outside the path that `path`, or the choice of the
 * upstream, was meant for.
 */
export function targetOf({ url = '' }: IncomingMessage): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?=$|\?)/, '/')
  return PATH.test(path) && !DOTS.test(path) ? path : undefined
}

/** The path for the upstream. @throws OptionError when the option `path` returns an invalid one. */
export function pathFor(path: string, req: IncomingMessage, policy: GatewayPolicy): string {
  if (policy.path === undefined) return path
  const mapped: unknown = policy.path(path, req)
  // The message does not contain the path: its query may be secret.
  if (typeof mapped === 'string' && PATH.test(mapped)) return mapped
  throw new OptionError('path()', 'something else', 'a path that begins with /')
}

/**
 * The header for the upstream. undici frames the body: by its length, or in chunks. A client cannot override fields that are set
 * in the upstream's options, as they may be credentials of the service.
 */
export function headerFor(req: IncomingMessage, { forwarded: mode, via }: GatewayPolicy, own: HeaderFields = {}): RawFields {
  const fields = forwarded(endToEnd(req.rawHeaders, new Set([...REPLACED, ...Object.keys(own)])), req, mode)
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  if (coding === undefined && length !== undefined) fields.push('content-length', length)
  fields.push('via', `${req.httpVersion} ${via}`)
  return fields
}
