import { createServer as createHttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { json, pathOf, type Handler } from './replies.ts'
import { tls } from './tls.ts'

export { byPath, echo, hold, inTurn, json, status, stream, type Echo, type Gate, type Handler } from './replies.ts'
export { tls } from './tls.ts'

/** How a test server is to be. */
export interface ServerOptions {
  /** Answers every request. @default json({ ok: true }) */
  handler?: Handler
  /** `h2` speaks HTTP/2 over TLS, and HTTP/1.1 to a client that asks for it. @default 'http' */
  protocol?: 'http' | 'https' | 'h2'
  /** @default 0, any free port */
  port?: number
  /** A unix socket to listen on in place of a port. */
  path?: string
  /** Milliseconds an idle connection is kept, told to the client as a hint too. @default Node's 5000 */
  keepAliveTimeout?: number
}

/** A well-behaved upstream inside the test's own process. */
export interface TestServer extends AsyncDisposable {
  /** The origin, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** Requests seen so far. */
  readonly hits: number
  /** Requests seen for this path, whatever their query. */
  hitsOf(path: string): number
  /** Connections open now. */
  readonly connections: number
  /** Connections accepted so far. */
  readonly accepted: number
  /** Answers by another handler from now on. */
  handle(handler: Handler): void
  /** Resets every open connection, as a crash would, and goes on listening. */
  resetConnections(): void
  /** Destroys every connection and stops listening; safe to call twice. */
  close(): Promise<void>
}

const create = (options: ServerOptions, answer: Handler): Server => {
  const { protocol = 'http', keepAliveTimeout } = options
  if (protocol === 'h2') {
    const server = createSecureServer({ ...tls, allowHTTP1: true })
    // The compatibility API has the same methods, though not the same types.
    server.on('request', answer as unknown as (...args: unknown[]) => void)
    return server.on('sessionError', () => {})
  }
  const server = protocol === 'https' ? createHttpsServer(tls) : createHttpServer()
  if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout
  return server.on('request', (request, response) => void answer(request, response))
}

/** Starts a server on 127.0.0.1. A handler that throws or rejects fails the test, as an uncaught error. */
export const startServer = async (given: Handler | ServerOptions = {}): Promise<TestServer> => {
  const options = typeof given === 'function' ? { handler: given } : given
  let handler = options.handler ?? json({ ok: true })
  let [hits, accepted] = [0, 0]
  const hitsOf = new Map<string, number>()
  const sockets = new Set<Socket>()

  const server = create(options, (request, response) => {
    const path = pathOf(request.url)
    hits++
    hitsOf.set(path, (hitsOf.get(path) ?? 0) + 1)
    return handler(request, response)
  })
  server.on('connection', (socket: Socket) => {
    accepted++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => {})
  })
  const port = await listen(server, options)

  let closed: Promise<void> | undefined
  const close = (): Promise<void> => closed ??= new Promise(resolve => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })

  const scheme = options.protocol === undefined || options.protocol === 'http' ? 'http' : 'https'
  return {
    url: port === 0 ? `${scheme}://localhost` : `${scheme}://127.0.0.1:${port}`,
    port,
    get hits(): number { return hits },
    hitsOf: path => hitsOf.get(path) ?? 0,
    get connections(): number { return sockets.size },
    get accepted(): number { return accepted },
    handle(next): void { handler = next },
    resetConnections(): void { for (const socket of sockets) socket.resetAndDestroy() },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Listens on 127.0.0.1, or on a unix socket, and gives the port (0 for a socket). */
export const listen = async (server: Server, where: { port?: number; path?: string } = {}): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (where.path === undefined) server.listen(where.port ?? 0, '127.0.0.1', resolve)
    else server.listen(where.path, resolve)
  })
  const address = server.address()
  return typeof address === 'string' || address === null ? 0 : address.port satisfies AddressInfo['port']
}
