// The origin of all these scenarios, some of whose routes are ill: a process of its own, with room for all calls.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from '../process/child.ts'
import { json } from './json.ts'

/** ms between two events of a subscription. */
const EVENTS = 2_000
const LARGE = Buffer.alloc(5_000_000, 'x')

let counts: Record<string, number> = {}
const subscribers = new Set<ServerResponse>()

const busy: RequestListener = (_request, response) => { json(response, 503, { 'retry-after': '5' }) }
const ROUTES: Readonly<Record<string, RequestListener>> = {
  '/stock': (_request, response) => { setTimeout(json, 5, response, 200) },
  '/bad': (_request, response) => { json(response, 502) },
  '/busy': busy,
  '/busy/orders': busy,
  '/upload': (request, response) => { request.on('end', () => { json(response, 200) }) },
  '/large': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': LARGE.length })
    response.end(LARGE)
  },
  '/events': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('data: 0\n\n')
    subscribers.add(response)
    response.once('close', () => { subscribers.delete(response) })
  },
  '/half': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': 1_000 })
    response.write(Buffer.alloc(500, 'x'))
  },
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const { url = '' } = request
  counts[url] = (counts[url] ?? 0) + 1
  request.on('error', () => undefined).resume()
  const route = ROUTES[url]
  if (route === undefined) json(response, 404)
  else route(request, response)
}

setInterval(() => { for (const subscriber of subscribers) subscriber.write('data: 1\n\n') }, EVENTS)
const server = createServer({ keepAliveTimeout: 60_000 }, serve)

answer({
  listen: () => new Promise<string>(resolve => {
    server.listen(0, '127.0.0.1', 4_096, () => { resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) })
  }),
  /** Requests, by path, since it was asked to forget. */
  counts: () => counts,
  forget: () => { counts = {} },
})
