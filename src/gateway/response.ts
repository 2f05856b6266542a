import type { Dispatcher } from '../transport/undici.ts'
import { eachField, endToEnd, type Fields } from './hop-by-hop.ts'
import { proxyStatus } from './proxy-status.ts'

type Handler = Required<Dispatcher.DispatchHandler>
type Controller = Dispatcher.DispatchController

const NONE: ReadonlySet<string> = new Set()
const LENGTH: ReadonlySet<string> = new Set(['content-length'])
/** What a trailer must not say: it would come too late, or say how the message is to be read (RFC 9110 §6.5.1). */
const NOT_AT_THE_END: ReadonlySet<string> = new Set([
  'authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type', 'host', 'location',
  'set-cookie', 'te', 'vary', 'www-authenticate',
])

/** Fields as they came, whatever undici or an interceptor has of them. */
function rawFieldsOf(raw: Controller['rawHeaders'], headers: Parameters<Handler['onResponseStart']>[2]): Fields {
  if (Array.isArray(raw)) return raw.map(part => (typeof part === 'string' ? part : part.toString('latin1')))
  return Object.entries(headers).flatMap(([name, value = '']) => [value].flat().flatMap(one => [name, one]))
}

/** The header for the client. A status that could be the gateway's own says whose it is. */
export function headerOf(
  { rawHeaders }: Controller, status: number, headers: Parameters<Handler['onResponseStart']>[2],
  upstream: string | undefined, via: string,
): Fields {
  const fields = endToEnd(rawFieldsOf(rawHeaders, headers), status === 204 ? LENGTH : NONE)
  // What undici speaks to upstreams is all but always this.
  fields.push('via', `1.1 ${via}`)
  if (status >= 500) fields.push('proxy-status', proxyStatus(via, { upstream, receivedStatus: status }))
  return fields
}

/** The trailer for the client, in pairs as Node takes it. */
export function trailerOf({ rawTrailers }: Controller, trailers: Parameters<Handler['onResponseEnd']>[1]): [string, string][] {
  const pairs: [string, string][] = []
  eachField(endToEnd(rawFieldsOf(rawTrailers, trailers), NOT_AT_THE_END), (_, value, name) => pairs.push([name, value]))
  return pairs
}
