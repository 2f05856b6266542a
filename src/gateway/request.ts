import type { IncomingMessage } from 'node:http'
import { OptionError } from '../outcome/errors.ts'
import { forwarded } from './forwarded.ts'
import type { HeaderFields } from '../http/headers.ts'
import { streamOf } from './http2.ts'
import { canonical, endToEnd, type RawFields } from './hop-by-hop.ts'
import type { GatewayPolicy } from './options.ts'
import { forwardsLeft } from './refusal.ts'

/** Fields that are not forwarded, as the gateway sets its own for the upstream; Node has already handled `Expect`. */
const REPLACED: ReadonlySet<string> = new Set(['host', 'content-length', 'expect'])
const PATH = /^\/[!-~\x80-\xff]*$/
/** A dot segment of a decoded path: what follows it may be a parameter, as in `..;a=b`. */
const DOTS = /[/\\]\.{1,2}(?:[/\\;?#]|$)/
/** An octet that is percent-encoded, once or several times over. */
const ENCODED = /%(?:25)*([\da-f]{2})/gi
/** Characters that some servers drop before they resolve a path. */
const IGNORED = /[\0- \x7f]/g

/**
 * Whether a path has dot segments, in any spelling: with encoded dots or separators, with backslashes, with parameters. Browsers
 * resolve dot segments before they send a request; servers differ in which spellings they resolve.
 */
function hasDots(target: string): boolean {
  const [path = ''] = target.split('?', 1)
  const decoded = path.replaceAll(ENCODED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return DOTS.test(decoded.replaceAll(IGNORED, ''))
}

/**
 * The path of a request, query included; undefined if it is invalid. The host of an absolute target is ignored: it must not
 * choose the upstream. A path with dot segments is invalid: it could lead outside the path that `path`, or the choice of the
 * upstream, was meant for.
 */
export function targetOf({ url = '' }: IncomingMessage): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/^(?=$|\?)/, '/')
  return PATH.test(path) && !hasDots(path) ? path : undefined
}

/**
 * The path for the upstream; undefined if the option `path` has made dot segments of the client's path, as `/files/../secret` of
 * `/static../secret` when `/static` is replaced by `/files/`.
 * @throws OptionError when the option `path` returns an invalid one.
 */
export function pathFor(path: string, req: IncomingMessage, policy: GatewayPolicy): string | undefined {
  if (policy.path === undefined) return path
  const mapped: unknown = policy.path(path, req)
  // The message does not contain the path: its query may be secret.
  if (typeof mapped === 'string' && PATH.test(mapped)) return hasDots(mapped) ? undefined : mapped
  throw new OptionError('path()', 'something else', 'a path that begins with /')
}

/**
 * The header for the upstream. undici frames the body: by its length, or in chunks. A client can neither override fields
 * that are set in the upstream's options, as they may be credentials of the service, nor add a field that applications take for
 * the same.
 */
export function headerFor(req: IncomingMessage, { forwarded: mode, via }: GatewayPolicy, own: HeaderFields = {}): RawFields {
  const left = forwardsLeft(req)
  const excluded = new Set([...REPLACED, ...left === undefined ? [] : ['max-forwards'], ...Object.keys(own).map(canonical)])
  const isHttp2 = streamOf(req) !== undefined
  const fields = forwarded(endToEnd(req.rawHeaders, isHttp2 ? new Set([...excluded, 'cookie']) : excluded), req, mode)
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  if (coding === undefined && length !== undefined) fields.push('content-length', length)
  // HTTP/2 splits a Cookie to compress it; HTTP/1.1 has one (RFC 9113 §8.2.3).
  const { cookie } = req.headers
  if (isHttp2 && cookie !== undefined && !excluded.has('cookie')) fields.push('cookie', cookie)
  if (left !== undefined) fields.push('max-forwards', String(left - 1))
  fields.push('via', `${req.httpVersion} ${via}`)
  return fields
}
