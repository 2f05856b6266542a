import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** A server that can be shut down: one of node:http or node:https, as Express and Fastify make them. */
export type HttpServer = Server | SecureServer

/**
 * Who is connected to some servers, and which requests are in flight.
 *
 * Node closes idle connections itself (`server.close()`), but before 26 not those that never sent a byte, as browsers and
 * load balancers open them ahead, nor upgraded ones: it no longer knows these. So all are counted here.
 */
export class Connections {
  /** Requests in flight. */
  requests = 0
  /** Requests answered since `drain()`. */
  answered = 0
  /** Connections ended by us that had no request in flight. */
  ended = 0
  readonly #servers: readonly HttpServer[]
  /** Connections and the requests in flight on each. */
  readonly #open = new Map<Socket, Set<ServerResponse>>()
  /** Connections below TLS. Those in `#open` are what came of them, so with none there all of these still shake hands. */
  readonly #raw = new Set<Socket>()
  #draining = false
  #stopped = false
  #hurried = false
  #resolve: (() => void) | undefined

  constructor(servers: readonly HttpServer[]) {
    this.#servers = servers
    for (const server of servers) {
      const secure = server instanceof TlsServer
      if (secure) server.on('connection', this.#meetRaw)
      server.on(secure ? 'secureConnection' : 'connection', this.#meet)
      server.prependListener('request', this.#begin)
    }
  }

  /** Connections open. */
  get size(): number {
    return this.#open.size
  }

  /** From now on replies say `Connection: close`, those in flight included as far as they still can. */
  drain(): void {
    this.#draining = true
    for (const responses of this.#open.values()) for (const response of responses) closeAfter(response)
  }

  /** Accepts no more connections, and closes idle ones. */
  stop(): void {
    this.#stopped = true
    // A server that never listened, or that somebody has closed, says so in an error nobody needs.
    for (const server of this.#servers) server.close(() => undefined)
  }

  /** Ends the connections that have no request in flight, and such as are still to come. */
  endIdle(): void {
    this.#hurried = true
    for (const [socket, responses] of this.#open) {
      if (responses.size > 0) continue
      this.ended++
      socket.destroy()
    }
    this.#tell()
  }

  /** Ends all connections now. */
  destroy(): void {
    for (const socket of [...this.#open.keys(), ...this.#raw]) socket.destroy()
  }

  /** Resolves when no connection is left. */
  closed(): Promise<void> {
    return new Promise(resolve => {
      this.#resolve = resolve
      this.#tell()
    })
  }

  /** Lets go of the servers. */
  release(): void {
    for (const server of this.#servers) {
      server.off('connection', this.#meetRaw).off('connection', this.#meet)
      server.off('secureConnection', this.#meet).off('request', this.#begin)
    }
  }

  readonly #meetRaw = (socket: Socket): void => {
    this.#raw.add(socket)
    socket.once('close', () => {
      this.#raw.delete(socket)
      this.#tell()
    })
  }

  readonly #meet = (socket: Socket): void => {
    this.#open.set(socket, new Set())
    socket.once('close', () => {
      // Pipelined responses that never had their turn are told nothing of it by Node.
      this.requests -= this.#open.get(socket)?.size ?? 0
      this.#open.delete(socket)
      this.#tell()
    })
  }

  readonly #begin = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    const responses = this.#open.get(socket)
    if (responses === undefined) return
    responses.add(response)
    this.requests++
    if (this.#draining) closeAfter(response)
    response.once('close', () => {
      if (!responses.delete(response) || !this.#open.has(socket)) return
      this.requests--
      if (this.#draining && response.writableFinished) this.answered++
      // One whose headers had gone out before the drain promised to keep the connection.
      if (this.#stopped && responses.size === 0) socket.destroySoon()
      this.#tell()
    })
  }

  #tell(): void {
    if (this.#open.size > 0) return
    if (this.#hurried) {
      this.ended += this.#raw.size
      for (const socket of this.#raw) socket.destroy()
      this.#raw.clear()
    }
    if (this.#raw.size === 0) this.#resolve?.()
  }
}

function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
}
