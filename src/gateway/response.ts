import type { Dispatcher } from '../transport/undici.ts'
import { eachField, endToEnd, type RawFields } from './hop-by-hop.ts'
import { proxyStatus } from './proxy-status.ts'

type Handler = Required<Dispatcher.DispatchHandler>
type Controller = Dispatcher.DispatchController

const LENGTH: ReadonlySet<string> = new Set(['content-length'])
/** Fields that are not allowed in a trailer: they come too late there, or affect how the message is read (RFC 9110 §6.5.1). */
const NOT_IN_TRAILER: ReadonlySet<string> = new Set([
  'authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type', 'host', 'location',
  'set-cookie', 'te', 'vary', 'www-authenticate',
])

/** The fields as received if undici has them raw, otherwise from an object, as an interceptor passes them. */
function rawFieldsOf(raw: Controller['rawHeaders'], headers: Parameters<Handler['onResponseStart']>[2]): RawFields {
  if (Array.isArray(raw)) return raw.map(part => (typeof part === 'string' ? part : part.toString('latin1')))
  return Object.entries(headers).flatMap(([name, value = '']) => [value].flat().flatMap(one => [name, one]))
}

/** What identifies the sender of a response. */
export interface Sender {
  readonly upstream: string | undefined
  readonly via: string
}

/** The header for the client. A `Proxy-Status` marks a 5xx as the upstream's, which could be the gateway's own. */
export function headerOf(
  { rawHeaders }: Controller, status: number, headers: Parameters<Handler['onResponseStart']>[2], { upstream, via }: Sender,
): RawFields {
  const received = rawFieldsOf(rawHeaders, headers)
  const fields = endToEnd(received, LENGTH)
  // Comes last: Node encodes a Content-Disposition behind it once more, and rejects what that makes of some (nodejs/node#58240).
  eachField(received, (name, value, original) => {
    if (name === 'content-length' && status !== 204) fields.push(original, value)
  })
  // undici nearly always speaks HTTP/1.1 to upstreams, and does not report when it does not.
  fields.push('via', `1.1 ${via}`)
  if (status >= 500) fields.push('proxy-status', proxyStatus(via, { upstream, receivedStatus: status }))
  return fields
}

/** The trailer for the client, as pairs for Node. */
export function trailerOf({ rawTrailers }: Controller, trailers: Parameters<Handler['onResponseEnd']>[1]): [string, string][] {
  const pairs: [string, string][] = []
  eachField(endToEnd(rawFieldsOf(rawTrailers, trailers), NOT_IN_TRAILER), (_, value, name) => pairs.push([name, value]))
  return pairs
}
