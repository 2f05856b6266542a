import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import { eachField, type Fields } from './hop-by-hop.ts'

/** What becomes of the fields that tell of the client. */
export type Forwarding = 'replace' | 'append' | false

/** A host, with a port or not, that is no more than that: what a client writes there must not become a list. */
const HOST = /^(?:[\w.~%-]+|\[[\da-f:.]+\])(?::\d*)?$/i

/** Whether a field tells of the client; many applications take `_` for `-`. */
const tells = (name: string): boolean => /^(?:forwarded|x-real-ip|x-forwarded-.*)$/.test(name.replaceAll('_', '-'))

/**
 * Tells the upstream who asked, in what RFC 7239 says (`Forwarded`) and in what most read (`X-Forwarded-For`, `-Host`, `-Proto`).
 * What a client says of itself is worth nothing unless it is a proxy of ours: only 'append' keeps it.
 */
export function forwarded(fields: Fields, req: IncomingMessage, mode: Forwarding): Fields {
  const said = new Map<string, string>()
  const kept: Fields = []
  eachField(fields, (name, value, written) => {
    if (!tells(name)) kept.push(written, value)
    else if (mode === 'append') said.set(name, said.has(name) ? `${said.get(name) ?? ''}, ${value}` : value)
  })
  if (mode === false) return kept
  const by = clientOf(req)
  add(said, 'forwarded', elementOf(by))
  if (by.address !== undefined) add(said, 'x-forwarded-for', by.address)
  // The first proxy has seen what the client asked for.
  if (by.host !== undefined && !said.has('x-forwarded-host')) said.set('x-forwarded-host', by.host)
  if (!said.has('x-forwarded-proto')) said.set('x-forwarded-proto', by.proto)
  for (const [name, value] of said) kept.push(name, value)
  return kept
}

const add = (said: Map<string, string>, name: string, value: string): void => {
  const before = said.get(name)
  said.set(name, before === undefined ? value : `${before}, ${value}`)
}

interface Origin {
  readonly address: string | undefined
  readonly host: string | undefined
  readonly proto: 'http' | 'https'
}

function clientOf({ socket, headers: { host = '' } }: IncomingMessage): Origin {
  // An IPv4 address on a socket of both kinds, and the name of a local interface, which is nobody else's business.
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*/, '')
  return { address, host: HOST.test(host) ? host : undefined, proto: 'encrypted' in socket ? 'https' : 'http' }
}

/** An element of RFC 7239 §4; `unknown` for a client on a unix socket. */
function elementOf({ address = 'unknown', host, proto }: Origin): string {
  const node = isIPv6(address) ? `"[${address}]"` : address
  return `for=${node}${host === undefined ? '' : `;host="${host}"`};proto=${proto}`
}
