import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import { hostOf } from './http2.ts'
import { canonical, eachField, type RawFields } from './hop-by-hop.ts'

/** How the forwarding header fields, which identify the client, are handled. */
export type Forwarding = 'replace' | 'append' | false

/** A host, with or without a port, and nothing else: a Host header must not be able to add elements to a list. */
const HOST = /^(?:[\w.~%-]+|\[[\da-f:.]+\])(?::\d*)?$/i

/** Whether a field identifies the client. */
const isForwarding = (name: string): boolean => /^(?:forwarded|x-real-ip|x-forwarded-.*)$/.test(canonical(name))

/**
 * Sets the header fields that identify the client to the upstream: `Forwarded` (RFC 7239), and the more common `X-Forwarded-For`,
 * `-Host` and `-Proto`. Fields that a client sends itself can be forged, unless it is a trusted proxy: only 'append' keeps them.
 */
export function forwarded(fields: RawFields, req: IncomingMessage, mode: Forwarding): RawFields {
  const forwarding = new Map<string, string>()
  const others: RawFields = []
  eachField(fields, (name, value, original) => {
    if (!isForwarding(name)) others.push(original, value)
    else if (mode === 'append') append(forwarding, name, value)
  })
  if (mode === false) return others
  const client = clientOf(req)
  append(forwarding, 'forwarded', elementOf(client))
  if (client.address !== undefined) append(forwarding, 'x-forwarded-for', client.address)
  // The first proxy saw the host and protocol that the client used.
  if (client.host !== undefined && !forwarding.has('x-forwarded-host')) forwarding.set('x-forwarded-host', client.host)
  if (!forwarding.has('x-forwarded-proto')) forwarding.set('x-forwarded-proto', client.proto)
  for (const [name, value] of forwarding) others.push(name, value)
  return others
}

const append = (fields: Map<string, string>, name: string, value: string): void => {
  const before = fields.get(name)
  fields.set(name, before === undefined ? value : `${before}, ${value}`)
}

interface RemoteClient {
  readonly address: string | undefined
  readonly host: string | undefined
  readonly proto: 'http' | 'https'
}

function clientOf(req: IncomingMessage): RemoteClient {
  const { socket } = req
  const host = hostOf(req) ?? ''
  // Unwraps an IPv4 address on a dual-stack socket, and removes the name of a local interface, which is internal.
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*/, '')
  return { address, host: HOST.test(host) ? host : undefined, proto: 'encrypted' in socket ? 'https' : 'http' }
}

/** An element of `Forwarded` (RFC 7239 §4); `unknown` for a client on a unix socket. */
function elementOf({ address = 'unknown', host, proto }: RemoteClient): string {
  const node = isIPv6(address) ? `"[${address}]"` : address
  return `for=${node}${host === undefined ? '' : `;host="${host}"`};proto=${proto}`
}
