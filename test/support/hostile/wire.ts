import type { Socket } from 'node:net'

/** Headers as they go on the wire: order and repetition kept. */
export type WireHeaders = readonly (readonly [name: string, value: string | number])[]

/** The head of a reply, down to its empty line. */
export const head = (status: number | string, headers: WireHeaders = []): string =>
  [`HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Status'}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
    .join('\r\n') + '\r\n\r\n'

/** A whole reply of known length, which keeps the connection open. */
export const reply = (status: number, body: string | Uint8Array = '', headers: WireHeaders = []): Buffer =>
  Buffer.concat([
    Buffer.from(head(status, [...headers, ['content-length', Buffer.byteLength(body)]])),
    typeof body === 'string' ? Buffer.from(body) : body,
  ])

/** Turns of the event loop in which a peer in this process has read what was written. */
const TURNS = 3

/**
 * Ends the connection with a RST in place of a FIN, once what was written has been read: Node 22 takes a RST that comes together
 * with the last bytes for an orderly end.
 */
export const reset = (socket: Socket, last: string | Uint8Array, done: () => void): void => {
  const later = (turns: number): void => {
    if (turns > 0) setImmediate(later, turns - 1)
    else {
      socket.resetAndDestroy()
      done()
    }
  }
  socket.write(last, () => { later(TURNS) })
}

/** Writes chunk after chunk as fast as the peer takes them, until it goes away or `limit` bytes are sent. */
export const pump = (socket: Socket, limit: number, chunk: () => string, done: () => void = () => {}): void => {
  let sent = 0
  const write = (): void => {
    while (sent < limit && socket.writable) {
      const piece = chunk()
      sent += piece.length
      if (!socket.write(piece)) return void socket.once('drain', write)
    }
    if (socket.writable) done()
  }
  write()
}

/** The most chunks a drip sends before it falls silent. */
const DRIPS = 10_000

/** Writes a chunk every so many milliseconds of real time until the peer goes away; `first` is called at the first. */
export const drip = (socket: Socket, every: number, chunk: () => string, first: () => void): void => {
  let drips = 0
  const timer = setInterval(() => {
    if (!socket.writable || drips === DRIPS) {
      clearInterval(timer)
      return
    }
    if (drips++ === 0) first()
    socket.write(chunk())
  }, every)
  socket.once('close', () => clearInterval(timer))
}
