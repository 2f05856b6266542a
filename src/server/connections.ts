import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** A server that can be shut down: a server of node:http or node:https, as Express and Fastify create them. */
export type HttpServer = Server | SecureServer

/**
 * The connections to some servers, and the requests in flight on them.
 *
 * Node closes idle connections itself (`server.close()`), except upgraded ones, which it no longer tracks, and before Node 26
 * those that never sent a byte, which browsers and load balancers open in advance. So all connections are tracked here.
 */
export class Connections {
  /** Requests in flight. */
  requests = 0
  /** Requests answered since `drain()`. */
  answered = 0
  /** Requests lost since `drain()`, because a response before them on their connection was the last. */
  lost = 0
  /** Connections without a request in flight that were closed by `endIdle()`. */
  ended = 0
  readonly #servers: readonly HttpServer[]
  readonly #open = new Map<Socket, Connection>()
  /** TCP connections below TLS. If `#open` is empty, all of these are still in their handshake. */
  readonly #raw = new Set<Socket>()
  #draining = false
  #stopped = false
  #endsIdle = false
  #resolve: (() => void) | undefined

  constructor(servers: readonly HttpServer[]) {
    this.#servers = servers
    for (const server of servers) {
      const secure = server instanceof TlsServer
      if (secure) server.on('connection', this.#onRawConnection)
      server.on(secure ? 'secureConnection' : 'connection', this.#onConnection)
      server.prependListener('request', this.#onRequest)
    }
  }

  /** Number of open connections. */
  get size(): number {
    return this.#open.size
  }

  /** From now on responses have `Connection: close`, including those in flight whose header has not been sent. */
  drain(): void {
    this.#draining = true
    for (const connection of this.#open.values()) announceClose(connection, [...connection.responses].at(-1))
  }

  /** Accepts no more connections, and closes idle ones. */
  stop(): void {
    this.#stopped = true
    // The error of a server that never listened, or has been closed already, is ignored.
    for (const server of this.#servers) server.close(() => undefined)
  }

  /** Closes the connections without a request in flight, now and from now on. */
  endIdle(): void {
    this.#endsIdle = true
    for (const [socket, { responses }] of this.#open) {
      if (responses.size > 0) continue
      this.ended++
      socket.destroy()
    }
    this.#checkClosed()
  }

  /** Closes all connections now. */
  destroy(): void {
    for (const socket of [...this.#open.keys(), ...this.#raw]) socket.destroy()
  }

  /** Resolves when no connection is left. */
  closed(): Promise<void> {
    return new Promise(resolve => {
      this.#resolve = resolve
      this.#checkClosed()
    })
  }

  /** Removes the listeners from the servers. */
  release(): void {
    for (const server of this.#servers) {
      server.off('connection', this.#onRawConnection).off('connection', this.#onConnection)
      server.off('secureConnection', this.#onConnection).off('request', this.#onRequest)
    }
  }

  readonly #onRawConnection = (socket: Socket): void => {
    this.#raw.add(socket)
    socket.once('close', () => {
      this.#raw.delete(socket)
      this.#checkClosed()
    })
  }

  readonly #onConnection = (socket: Socket): void => {
    // A connection may be handed back to its server, as by the gateway when it declines an upgrade.
    if (this.#open.has(socket)) return
    const connection: Connection = { responses: new Set(), last: undefined }
    this.#open.set(socket, connection)
    socket.once('close', () => {
      // Node does not emit `close` on pipelined responses that were still waiting for their turn.
      const { size } = connection.responses
      this.requests -= size
      // The server ended the connection, not the client: Node sends no response after a response that announced the close.
      if (this.#draining && socket.writableEnded && !socket.readableEnded) this.lost += size
      this.#open.delete(socket)
      this.#checkClosed()
    })
  }

  readonly #onRequest = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    const connection = this.#open.get(socket)
    if (connection === undefined) return
    const { responses } = connection
    responses.add(response)
    this.requests++
    if (this.#draining) announceClose(connection, response)
    response.once('close', () => {
      if (!responses.delete(response) || !this.#open.has(socket)) return
      this.requests--
      if (this.#draining && response.writableFinished) this.answered++
      // A response whose header was sent before the drain did not announce the close.
      if (this.#stopped && responses.size === 0) socket.destroySoon()
      this.#checkClosed()
    })
  }

  #checkClosed(): void {
    if (this.#open.size > 0) return
    if (this.#endsIdle) {
      this.ended += this.#raw.size
      for (const socket of this.#raw) socket.destroy()
      this.#raw.clear()
    }
    if (this.#raw.size === 0) this.#resolve?.()
  }
}

/** An open connection. */
interface Connection {
  /** The responses to its requests in flight, in their order. */
  readonly responses: Set<ServerResponse>
  /** The response that announces the close. */
  last: ServerResponse | undefined
}

/** Has the newest response announce the close, and no earlier one: Node would send no response after it. */
function announceClose(connection: Connection, response: ServerResponse | undefined): void {
  if (response === undefined || response.headersSent) return
  if (connection.last?.headersSent === false) connection.last.removeHeader('connection')
  response.setHeader('connection', 'close')
  connection.last = response
}
