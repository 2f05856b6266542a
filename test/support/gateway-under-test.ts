import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { request } from 'undici'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { createClient, type Client, type ClientOptions } from '../../src/index.ts'
import { listen } from './server.ts'

/** A gateway in a server of its own, over a client of its own. */
export interface GatewayUnderTest extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly client: Client
  readonly gateway: Gateway
  /** What `onError` was told. */
  readonly errors: unknown[]
  /** Calls in flight at the upstream `up`, as the client sees it. */
  inFlight(): number
  /** Connections of clients open now. */
  connections(): number
}

/** Starts a gateway before one upstream, which is called `up`. */
export const startGateway = async (
  upstream: string, options: Partial<GatewayOptions> = {}, own: ClientOptions = {},
): Promise<GatewayUnderTest> => {
  const client = createClient({ retry: false, deadline: 2_000, ...own, upstreams: { up: { url: upstream }, ...own.upstreams } })
  const errors: unknown[] = []
  const gateway = createGateway(client, { upstream: 'up', onError: error => { errors.push(error) }, ...options })
  const server = createServer(gateway).on('upgrade', gateway.upgrade)
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket.on('error', () => {}).once('close', () => sockets.delete(socket)))
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`, port, client, gateway, errors,
    inFlight: () => client.upstream('up').snapshot().endpoints[0]?.inFlight ?? 0,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      const closed = once(server.close(), 'close')
      for (const socket of sockets) socket.destroy()
      await closed
      await client.destroy()
    },
  }
}

/** An answer as a client of the gateway sees it. */
export interface Seen {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Asks with undici, on no connection of another test's. */
export const ask = async (url: string, options: Parameters<typeof request>[1] = {}): Promise<Seen> => {
  const { statusCode, headers, body } = await request(url, { reset: true, ...options })
  return { status: statusCode, headers, text: await body.text() }
}

/** Writes bytes on a connection and reads until it ends; an error at its end is told as such. */
export const talk = async (port: number, said: string | Buffer): Promise<{ heard: string; error: string | undefined }> => {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  let error: string | undefined
  socket.on('data', (chunk: Buffer) => { heard += chunk.toString('latin1') })
  socket.on('error', ({ code }: NodeJS.ErrnoException) => { error = code })
  const closed = new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
  socket.write(said)
  await closed
  return { heard, error }
}
