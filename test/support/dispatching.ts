import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { Agent, type Dispatcher } from 'undici'
import { createClient, UpstreamError, type Client, type ClientOptions } from '../../src/index.ts'

/** Protections that do not get in the way of a test, but are all on. */
export const ON: ClientOptions = {
  retry: { limit: 1, backoff: 1, throttledBackoff: 1, maxBackoff: 1 }, breaker: { consecutive: 1_000, minimumCalls: 1_000 },
}
export const OFF: ClientOptions = { retry: false, breaker: false, limit: false }

/** A dispatcher under test, what has to be closed with it, and how it words an error. */
export interface Subject {
  readonly dispatcher: Dispatcher
  readonly client: Client | undefined
  close(): Promise<void>
}

/** undici's own Agent, and a client's dispatcher with its protections off and on. */
export const SUBJECTS: Readonly<Record<'agent' | 'off' | 'on', () => Subject>> = {
  agent: () => {
    const dispatcher = new Agent()
    return { dispatcher, client: undefined, close: () => dispatcher.destroy() }
  },
  off: () => ofClient(OFF),
  on: () => ofClient(ON),
}

export const ofClient = (options: ClientOptions): Subject => {
  const client = createClient(options)
  return { dispatcher: client.dispatcher(), client, close: () => client.destroy() }
}

/** What an error is, whoever words it: undici's own stands as the cause of ours. */
export const nameOf = (error: unknown): string => {
  const plain = error instanceof UpstreamError ? error.cause ?? error : error
  if (!(plain instanceof Error)) return String(plain)
  const { code } = plain as { code?: unknown }
  return typeof code === 'string' ? `${plain.name} ${code}` : plain.name
}

/** Header fields without those that differ from run to run. */
const steady = (headers: object): object => Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date'))

type Handler = Required<Dispatcher.DispatchHandler>

/** A handler that remembers; `done` at the end of what it is told. */
export interface Recorder extends Dispatcher.DispatchHandler {
  readonly seen: unknown[]
  readonly done: Promise<void>
}

/** A handler that writes down all it is told; `also` runs within. */
export const recorder = (also: Partial<Dispatcher.DispatchHandler> = {}): Recorder => {
  const seen: unknown[] = []
  let resolve = (): void => {}
  const done = new Promise<void>(settle => { resolve = settle })
  const within = <K extends keyof Handler>(name: K, ...args: Parameters<Handler[K]>): void => {
    const run = also[name] as ((...given: Parameters<Handler[K]>) => void) | undefined
    run?.(...args)
  }
  const { onBodySent, onRequestSent, onResponseStarted } = also
  const besides = { onBodySent, onRequestSent, onResponseStarted } as Partial<Dispatcher.DispatchHandler>
  return {
    ...besides, seen, done,
    onRequestStart(controller, context) {
      seen.push(['start', controller.aborted, controller.paused, controller.reason])
      within('onRequestStart', controller, context)
    },
    onResponseStart(controller, status, headers, text) {
      seen.push(['headers', status, steady(headers), text, Array.isArray(controller.rawHeaders)])
      within('onResponseStart', controller, status, headers, text)
    },
    onResponseData(controller, chunk) {
      seen.push(['data', chunk.toString()])
      within('onResponseData', controller, chunk)
    },
    onResponseEnd(controller, trailers) {
      seen.push(['end', trailers, Array.isArray(controller.rawTrailers)])
      resolve()
      within('onResponseEnd', controller, trailers)
    },
    onRequestUpgrade(controller, status, headers, socket) {
      seen.push(['upgrade', status, steady(headers)])
      resolve()
      within('onRequestUpgrade', controller, status, headers, socket)
    },
    onResponseError(controller, error) {
      seen.push(['error', nameOf(error)])
      resolve()
      within('onResponseError', controller, error)
    },
  }
}

/** A peer that knows all of HTTP/1.1 a dispatcher may need. */
export interface Peer extends AsyncDisposable {
  readonly url: string
  /** Requests seen, as `GET /path`. */
  readonly requests: string[]
  /** Answers to flow on when it is told to. */
  readonly waiting: ServerResponse[]
}

const chunkOf = (size: number): Buffer => Buffer.alloc(size, 'abcdefghij')

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

const ROUTES: Record<string, (request: IncomingMessage, response: ServerResponse, peer: Peer) => void | Promise<void>> = {
  async '/echo'(request, response) {
    const body = await bodyOf(request).catch(() => undefined)
    if (body === undefined) return
    const fields = request.rawHeaders.map((value, index) => (request.rawHeaders[index - 1] === 'host' ? 'peer' : value))
    const seen = { method: request.method, url: request.url, fields, body }
    const text = JSON.stringify(seen).replaceAll(/formdata-undici-\d+/g, 'boundary')
    response.setHeader('set-cookie', ['a=1', 'b=2']).setHeader('Content-Type', 'application/json')
    response.end(text)
  },
  '/trailers'(_request, response) {
    response.writeHead(200, 'Very Well', { 'trailer': 'x-sum', 'transfer-encoding': 'chunked' })
    response.write('one ')
    response.addTrailers({ 'x-sum': '7' })
    response.end('two')
  },
  '/204'(_request, response) { response.writeHead(204).end() },
  '/304'(_request, response) { response.writeHead(304, { etag: '"1"' }).end() },
  '/503'(_request, response) { response.writeHead(503, { 'x-no': 'yes' }).end('not now') },
  '/empty'(_request, response) { response.writeHead(200, { 'content-length': 0 }).end() },
  '/gzip'(_request, response) { response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unzipped')) },
  '/redirect'(_request, response) { response.writeHead(302, { location: '/echo' }).end() },
  '/big'(_request, response) { response.end(chunkOf(1_000_000)) },
  '/hints'(_request, response) {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.writeProcessing()
    response.end('after')
  },
  '/never'(_request, response, { waiting }) { waiting.push(response) },
  '/begun'(_request, response, { waiting }) {
    response.write('begun')
    waiting.push(response)
  },
  '/events'(_request, response, { waiting }) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: tide\ndata: high\nid: 1\n\n')
    waiting.push(response)
  },
  '/truncated'(_request, response) {
    response.writeHead(200, { 'content-length': 100 }).write('only this', () => response.destroy())
  },
  '/reset'(request) { (request.socket).resetAndDestroy() },
  '/cached'(_request, response, { requests }) {
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end(`answer ${requests.length}`)
  },
}

/** Echoes what comes over the connection, behind what came with the request. */
const tunnel = (socket: Duplex, head: Buffer, reply: string): void => {
  socket.on('error', () => {})
  socket.write(`HTTP/1.1 ${reply}\r\n\r\n`)
  socket.unshift(head)
  socket.pipe(socket)
}

const accepted = (key: string): string => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** Sends one unmasked text frame, and what comes after as nothing at all. */
const greet = (request: IncomingMessage, socket: Duplex): void => {
  const accept = accepted(request.headers['sec-websocket-key'] ?? '')
  socket.on('error', () => {}).resume()
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`)
  socket.write(Buffer.from([0x81, 5, ...Buffer.from('hello')]))
}

export const startPeer = async (): Promise<Peer> => {
  const sockets = new Set<Duplex>()
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`)
    const route = ROUTES[(request.url ?? '').replace(/\?.*/, '')]
    if (route === undefined) response.writeHead(404).end()
    else void route(request, response, peer)
  })
  const requests: string[] = []
  server.on('connection', socket => sockets.add(socket.on('error', () => {})))
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    requests.push(`CONNECT ${request.url ?? ''}`)
    if (request.url === 'refused:1') socket.end('HTTP/1.1 502 Bad Gateway\r\nx-why: no\r\n\r\n')
    else tunnel(socket, head, '200 Connection Established')
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    requests.push(`UPGRADE ${request.url ?? ''}`)
    if (request.url === '/ws') greet(request, socket)
    else if (request.url === '/no-upgrade') socket.end('HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy')
    else tunnel(socket, head, '101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): Promise<void> => new Promise(resolve => {
    server.close(() => { resolve() })
    for (const socket of sockets) socket.destroy()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const peer: Peer = { url, requests, waiting: [], [Symbol.asyncDispose]: close }
  return peer
}
