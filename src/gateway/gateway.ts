import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Client } from '../client/client.ts'
import type { Dispatcher } from '../transport/undici.ts'
import { Answer } from './answer.ts'
import { bodyOf, hasBody } from './body.ts'
import { causeBy, causeOf, type ProxyError } from './cause.ts'
import { gatewayPolicy, type GatewayOptions } from './options.ts'
import { sendProblem } from './problem.ts'
import { headerFor, pathFor, targetOf } from './request.ts'
import { asksForWebSocket, responseOn, Upgrading, type Upgraded } from './upgrade.ts'
import { chooserOf } from './upstreams.ts'

/** A reverse proxy over a client: a handler for `node:http` and whatever takes such handlers, Express for one. */
export interface Gateway {
  /** Answers a request with what its upstream answers. `next` is called only for a request that is not for this gateway. */
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void
  /**
   * Passes on a WebSocket: what a server's event `upgrade` is for. Any other upgrade is declined, and the request answered as if
   * it had not asked.
   *
   * @example
   * server.on('upgrade', gateway.upgrade)
   */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Ends the connections that became WebSockets, which no server closes by itself. All else is the server's and the client's. */
  close(): void
}

/**
 * Makes a gateway: a request goes to an upstream with all the client's protections, and is answered with the upstream's own
 * answer or, where there is none, with a truthful 502, 503 or 504 that says why. Bodies are streamed both ways.
 *
 * @example
 * const client = createClient({ upstreams: { orders: { url: 'http://orders.internal:8080', deadline: 2_000 } } })
 * const gateway = createGateway(client, { upstream: 'orders' })
 * createServer(gateway).listen(8080)
 *
 * @throws OptionError when an option makes no sense.
 */
export function createGateway(client: Client, options: GatewayOptions): Gateway {
  const policy = gatewayPolicy(options)
  const choose = chooserOf(client, policy.upstream)
  const { core } = client.dispatcher()

  const open = new Set<Duplex>()
  const problem = (res: ServerResponse, error: ProxyError, upstream?: string): void => {
    sendProblem(res, causeBy(error), upstream, policy.via)
  }

  /** Sends a request on its way; false: it is not for this gateway. */
  const send = (req: IncomingMessage, res: ServerResponse, upgraded?: Upgraded): boolean => {
    let upstream: string | undefined
    try {
      const destination = choose(req)
      if (destination === undefined) return false
      upstream = destination.name
      const target = targetOf(req)
      if (target === undefined) {
        problem(res, 'http_request_error', upstream)
        return true
      }
      const path = pathFor(target, req, policy)
      const headers = headerFor(req, policy, client.policyOf(destination.origin).headers)
      const body = bodyOf(req)
      const errand = { req, res, policy, upstream, body }
      const method = req.method as Dispatcher.HttpMethod
      const asked = { origin: destination.origin, path, method, headers, bodyTimeout: policy.bodyTimeout }
      if (upgraded !== undefined) core.dispatch({ ...asked, ...WEBSOCKET }, new Upgrading(errand, upgraded))
      else {
        const request = { ...asked, body: body === undefined ? null : iterable(body) }
        core.dispatch(request, new Answer(errand), policy.clientTimeout)
      }
    } catch (error) {
      sendProblem(res, causeOf(error), upstream, policy.via)
      policy.onError?.(error, req)
    }
    return true
  }

  const gateway = (req: IncomingMessage, res: ServerResponse, next?: () => void): void => {
    if (send(req, res)) return
    if (next === undefined) problem(res, 'destination_not_found')
    else next()
  }
  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const res = responseOn(req, socket)
    // Node has not read it, and takes it for the first bytes of the new protocol.
    if (hasBody(req)) problem(res, 'http_request_error')
    else if (!asksForWebSocket(req)) gateway(req, res)
    else if (open.size >= policy.maxUpgrades) problem(res, 'connection_limit_reached')
    else {
      open.add(socket)
      socket.once('close', () => { open.delete(socket) })
      if (!send(req, res, { socket, head })) problem(res, 'destination_not_found')
    }
  }
  const close = (): void => {
    for (const socket of open) socket.destroy()
  }
  return Object.assign(gateway, { upgrade, close })
}

/** What undici is told; over HTTP/2 it would ask otherwise. */
const WEBSOCKET = { upgrade: 'websocket', allowH2: false }

type Body = NonNullable<Dispatcher.DispatchOptions['body']>

/** Read by iteration, as then it is known who is waited for: the upstream, or the client for more of its body. */
const iterable = (body: AsyncIterable<Buffer>): Body =>
  ({ [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() }) as unknown as Body
