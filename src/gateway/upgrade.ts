import { Server as HttpServer, ServerResponse, type IncomingMessage } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { pipeline, type Duplex } from 'node:stream'
import type { Dispatcher } from '../transport/undici.ts'
import { ForwardingHandler, type RequestContext } from './forwarding-handler.ts'
import { causeBy } from './cause.ts'
import { eachField } from './hop-by-hop.ts'
import { headerOf } from './response.ts'

type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>[2]

/** The idle time before TCP keep-alive probes are sent, in ms. */
const KEEP_ALIVE_DELAY = 60_000

/** A connection that Node's server has handed over, and the data that the client sent after its request. */
export interface Upgraded {
  readonly socket: Duplex
  readonly head: Buffer
}

/**
 * Whether a request asks for a WebSocket, the only upgrade that is forwarded: with others, such as h2c, a client could bypass the
 * gateway and talk to the upstream directly.
 */
export const asksForWebSocket = ({ method, headers: { upgrade = '' } }: IncomingMessage): boolean =>
  method === 'GET' && upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')

/** Whether Node reads the bodies of requests that ask for an upgrade, as it does from version 26 on. */
export const READS_BODIES: boolean = Number(process.versions.node.split('.', 1)[0]) >= 26

/**
 * Whether responses to earlier requests on a connection are still due; if so, calls a function after the current response,
 * but not if the connection has closed by then. Node emits `upgrade` without waiting for them.
 */
export function awaitsTurn(socket: Duplex, next: () => void): boolean {
  // Node's own mark; there is no public one. A response on a socket that has this mark cannot be assigned to it.
  const { _httpMessage: due } = socket as { _httpMessage?: ServerResponse | null }
  if (due === undefined || due === null) return false
  // An error is followed by `close`.
  const ignore = (): void => {}
  socket.on('error', ignore)
  due.once('close', () => {
    socket.off('error', ignore)
    if (!socket.destroyed && socket.writable) next()
  })
  return true
}

/**
 * Hands a connection back to its server, with the request as if it had not asked for an upgrade: only the server can read the
 * body, and the requests after it.
 * @returns false if the server is unknown.
 */
export function handBack(req: IncomingMessage, socket: Duplex, head: Buffer): boolean {
  const { server } = socket as { server?: unknown }
  if (!(server instanceof HttpServer || server instanceof HttpsServer)) return false
  const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`]
  eachField(req.rawHeaders, (name, value, original) => { if (name !== 'upgrade') lines.push(`${original}: ${value}`) })
  // Only a lenient parser lets these through; written out again they would begin another field.
  if (lines.some(line => /[\r\n]/.test(line))) return false
  // The server may have set the time limit of an idle connection.
  if ('setTimeout' in socket) (socket as Socket).setTimeout(server.timeout)
  if (head.length > 0) socket.unshift(head)
  socket.unshift(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  server.emit(server instanceof HttpsServer ? 'secureConnection' : 'connection', socket)
  return true
}

/** A response on a connection that Node has handed over; the connection closes after it. */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  res.assignSocket(socket as unknown as Socket)
  // Node's server no longer handles the connection, so its events are forwarded here. An error is followed by `close`.
  socket.on('error', () => {})
  socket.on('drain', () => { res.emit('drain') })
  res.once('finish', () => { socket.end() })
  return res
}

/** Joins the two connections once the upstream has switched protocols; a normal response is forwarded as such. */
export class UpgradeHandler extends ForwardingHandler {
  readonly #client: Upgraded

  constructor(context: RequestContext, client: Upgraded) {
    super(context)
    this.#client = client
  }

  onRequestUpgrade(controller: Controller, status: number, headers: ResponseHeaders, upstream: Duplex): void {
    const { socket, head } = this.#client
    if (String(headers.upgrade).toLowerCase() !== 'websocket') {
      upstream.destroy()
      this.reject(controller, new Error('The upstream switched to an unexpected protocol'), causeBy('http_upgrade_failed'))
      return
    }
    if (!this.over()) {
      upstream.destroy()
      return
    }
    const { res, policy: { via }, upstream: name } = this.context
    const fields = headerOf(controller, status, headers, { upstream: name, via })
    res.writeHead(status, ['connection', 'Upgrade', 'upgrade', 'websocket', ...fields])
    // Field values are octets; this is the encoding that flushHeaders() uses, and what is written otherwise are buffers.
    socket.setDefaultEncoding('latin1')
    res.flushHeaders()
    res.detachSocket(socket as unknown as Socket)
    join(socket, upstream, head)
  }
}

/** Pipes both ways, with back-pressure, until either side ends, which ends the other one as well. */
function join(client: Duplex, upstream: Duplex, head: Buffer): void {
  if ('setKeepAlive' in client) (client as Socket).setTimeout(0).setKeepAlive(true, KEEP_ALIVE_DELAY)
  const ended = (error: unknown): void => {
    if (!error) return
    client.destroy()
    upstream.destroy()
  }
  if (head.length > 0) upstream.write(head)
  pipeline(client, upstream, ended)
  pipeline(upstream, client, ended)
}
