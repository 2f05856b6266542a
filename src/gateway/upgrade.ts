import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline, type Duplex } from 'node:stream'
import type { Dispatcher } from '../transport/undici.ts'
import { Answer, type Errand } from './answer.ts'
import { causeBy } from './cause.ts'
import { headerOf } from './response.ts'

type Controller = Dispatcher.DispatchController
type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>[2]

/** How long a connection may be idle before it is asked whether anybody is there, in ms; TCP does the asking. */
const IS_ANYBODY_THERE = 60_000

/** A connection that Node's server has handed over, and what has come from the client behind its request. */
export interface Upgraded {
  readonly socket: Duplex
  readonly head: Buffer
}

/**
 * Whether a request asks for a WebSocket. Of all there is to upgrade to this is the one that is passed on: with another, h2c
 * above all, a client could talk to the upstream past this gateway.
 */
export const asksForWebSocket = ({ method, headers: { upgrade = '' } }: IncomingMessage): boolean =>
  method === 'GET' && upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')

/** A response on a connection that Node has handed over with its request; the connection ends with it. */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  res.assignSocket(socket as unknown as Socket)
  // Node's server has let go of the connection: nobody else tells. What fails is closed, which all hear who need to.
  socket.on('error', () => {})
  socket.on('drain', () => { res.emit('drain') })
  res.once('finish', () => { socket.end() })
  return res
}

/** Joins the two connections once the upstream has changed protocols; what it answers instead is answered as it is. */
export class Upgrading extends Answer {
  readonly #client: Upgraded

  constructor(errand: Errand, client: Upgraded) {
    super(errand)
    this.#client = client
  }

  onRequestUpgrade(controller: Controller, status: number, headers: Headers, upstream: Duplex): void {
    const { socket, head } = this.#client
    if (String(headers.upgrade).toLowerCase() !== 'websocket') {
      upstream.destroy()
      this.refuse(controller, new Error('the upstream changed to another protocol'), causeBy('http_upgrade_failed'))
      return
    }
    if (!this.over()) {
      upstream.destroy()
      return
    }
    const { res, policy: { via }, upstream: name } = this.errand
    const fields = headerOf(controller, status, headers, name, via)
    res.writeHead(status, ['connection', 'Upgrade', 'upgrade', 'websocket', ...fields])
    res.flushHeaders()
    res.detachSocket(socket as unknown as Socket)
    join(socket, upstream, head)
  }
}

/** Lets bytes flow both ways, with back-pressure, until either side ends; an end of one is the end of both. */
function join(client: Duplex, upstream: Duplex, head: Buffer): void {
  if ('setKeepAlive' in client) (client as Socket).setTimeout(0).setKeepAlive(true, IS_ANYBODY_THERE)
  const ended = (error: unknown): void => {
    if (!error) return
    client.destroy()
    upstream.destroy()
  }
  if (head.length > 0) upstream.write(head)
  pipeline(client, upstream, ended)
  pipeline(upstream, client, ended)
}
