import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Client } from '../client.ts'
import type { Dispatcher } from '../pool/undici.ts'
import { Answer } from './answer.ts'
import { bodyOf } from './body.ts'
import { causeBy, causeOf } from './cause.ts'
import { gatewayPolicy, type GatewayOptions } from './options.ts'
import { sendProblem } from './problem.ts'
import { headerFor, pathFor, targetOf } from './request.ts'
import { chooserOf } from './upstreams.ts'

/** A reverse proxy over a client: a handler for `node:http` and whatever takes such handlers, Express for one. */
export interface Gateway {
  /** Answers a request with what its upstream answers. `next` is called only for a request that is not for this gateway. */
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void
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
  const dispatcher = client.dispatcher()

  /** Sends a request on its way; false: it is not for this gateway. */
  const send = (req: IncomingMessage, res: ServerResponse): boolean => {
    let upstream: string | undefined
    try {
      const destination = choose(req)
      if (destination === undefined) return false
      upstream = destination.name
      const target = targetOf(req)
      if (target === undefined) {
        sendProblem(res, causeBy('http_request_error'), upstream, policy.via)
        return true
      }
      const path = pathFor(target, req, policy)
      const headers = headerFor(req, policy)
      const body = bodyOf(req)
      dispatcher.dispatch({
        origin: destination.origin, path, method: req.method as Dispatcher.HttpMethod, headers,
        body: body === undefined ? null : iterable(body),
      }, new Answer({ req, res, policy, upstream, body }))
    } catch (error) {
      sendProblem(res, causeOf(error), upstream, policy.via)
      policy.onError?.(error, req)
    }
    return true
  }

  return (req, res, next) => {
    if (send(req, res)) return
    if (next === undefined) sendProblem(res, causeBy('destination_not_found'), undefined, policy.via)
    else next()
  }
}

type Body = NonNullable<Dispatcher.DispatchOptions['body']>

/** Read by iteration, as then it is known who is waited for: the upstream, or the client for more of its body. */
const iterable = (body: AsyncIterable<Buffer>): Body =>
  ({ [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() }) as unknown as Body
