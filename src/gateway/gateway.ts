import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Client } from '../client/client.ts'
import type { Dispatcher } from '../transport/undici.ts'
import { ForwardingHandler } from './forwarding-handler.ts'
import { bodyStreamOf, hasBody } from './body.ts'
import { causeBy, causeOf, type ProxyError } from './cause.ts'
import { gatewayPolicy, type GatewayOptions } from './options.ts'
import { sendProblem } from './problem.ts'
import { forwardsLeft, refusalOf } from './refusal.ts'
import { headerFor, pathFor, targetOf } from './request.ts'
import { asksForWebSocket, awaitsTurn, handBack, READS_BODIES, responseOn, UpgradeHandler, type Upgraded } from './upgrade.ts'
import { chooserOf } from './upstreams.ts'

/** A reverse proxy on top of a client: a request handler for `node:http`, Express and compatible frameworks. */
export interface Gateway {
  /** Forwards a request and its response. `next` is called only for a request without an upstream. */
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void
  /**
   * Forwards a WebSocket: a listener for a server's `upgrade` event. Any other upgrade is declined, and the request is handled as
   * a normal one.
   *
   * @example
   * server.on('upgrade', gateway.upgrade)
   */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Closes the WebSocket connections, which a server does not close. The server and the client are to be closed separately. */
  close(): void
}

/**
 * Creates a gateway: each request is forwarded to an upstream with all protections of the client, and gets the upstream's
 * response or, if there is none, a 502, 503 or 504 that says why. Bodies are streamed both ways.
 *
 * @example
 * const client = createClient({ upstreams: { orders: { url: 'http://orders.internal:8080', deadline: 2_000 } } })
 * const gateway = createGateway(client, { upstream: 'orders' })
 * createServer(gateway).listen(8080)
 *
 * @throws OptionError for an invalid option.
 */
export function createGateway(client: Client, options: GatewayOptions): Gateway {
  const policy = gatewayPolicy(options)
  const choose = chooserOf(client, policy.upstream)
  const { core } = client.dispatcher()

  const open = new Set<Duplex>()
  const problem = (res: ServerResponse, error: ProxyError, upstream?: string): void => {
    sendProblem(res, causeBy(error), upstream, policy.via)
  }

  /** Forwards a request. @returns false if it has no upstream. */
  const send = (req: IncomingMessage, res: ServerResponse, upgraded?: Upgraded): boolean => {
    let upstream: string | undefined
    try {
      const destination = choose(req)
      if (destination === undefined) return false
      upstream = destination.name
      if (forwardsLeft(req) === 0) {
        // The gateway is the recipient: there is nothing to say of it (RFC 9110 §7.6.2).
        res.writeHead(204).end()
        return true
      }
      const refusal = refusalOf(req)
      if (refusal !== undefined) {
        sendProblem(res, refusal, upstream, policy.via)
        return true
      }
      const target = targetOf(req)
      const path = target === undefined ? undefined : pathFor(target, req, policy)
      if (path === undefined) {
        problem(res, 'http_request_error', upstream)
        return true
      }
      const headers = headerFor(req, policy, client.policyOf(destination.origin).headers)
      const body = bodyStreamOf(req)
      const context = { req, res, policy, upstream, body }
      const method = req.method as Dispatcher.HttpMethod
      const request = { origin: destination.origin, path, method, headers, bodyTimeout: policy.bodyTimeout }
      if (upgraded !== undefined) core.dispatch({ ...request, ...WEBSOCKET }, new UpgradeHandler(context, upgraded))
      else {
        const withBody = { ...request, body: body === undefined ? null : iterable(body) }
        core.dispatch(withBody, new ForwardingHandler(context), policy.clientTimeout)
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
    if (awaitsTurn(socket, () => { upgrade(req, socket, head) })) return
    const isWebSocket = asksForWebSocket(req)
    // What Node has read of the request cannot be handed back: this response is then the last on its connection.
    const isReadByNode = hasBody(req) && READS_BODIES
    if (!isWebSocket && !isReadByNode && handBack(req, socket, head)) return
    const res = responseOn(req, socket)
    if (!isWebSocket && isReadByNode) {
      if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue()
      gateway(req, res)
      return
    }
    // A WebSocket has no body; Node before 26 would treat one as the first bytes of the new protocol.
    if (hasBody(req)) problem(res, 'http_request_error')
    else if (!isWebSocket) gateway(req, res)
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

/** Options for undici; over HTTP/2 a WebSocket is requested differently. */
const WEBSOCKET = { upgrade: 'websocket', allowH2: false }

type DispatchBody = NonNullable<Dispatcher.DispatchOptions['body']>

/** A body that is read by iteration, which shows whether the call waits for the upstream or for the client's body. */
const iterable = (body: AsyncIterable<Buffer>): DispatchBody =>
  ({ [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() }) as unknown as DispatchBody
