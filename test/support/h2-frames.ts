import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:tls'
import { tls } from './tls.ts'

/** Writes frames on a connection of a server that speaks HTTP/2 frame by frame. */
export interface FrameWriter {
  readonly socket: Socket
  /** Requests seen on this connection, this one included. */
  readonly requests: number
  /** Sends `:status 200`. */
  headers(id: number): void
  data(id: number, text: string, isEnd: boolean): void
  reset(id: number, code: number): void
  goAway(lastId: number, code: number): void
}

/** A server that does on each request what a script says, and nothing else. */
export interface FrameServer extends AsyncDisposable {
  readonly url: string
  /** Connections accepted so far. */
  readonly accepted: number
  /** Requests seen so far. */
  readonly requests: number
  readonly sockets: ReadonlySet<Socket>
}

const [DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [0, 1, 3, 4, 7] as const
const PREFACE_BYTES = 24
const HEAD_BYTES = 9

const frame = (type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}
const numbers = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
  return bytes
}

/** Starts a server that speaks HTTP/2 frame by frame, so that it can break the protocol as Node's cannot. */
export const startFrames = async (onRequest: (id: number, writer: FrameWriter) => void): Promise<FrameServer> => {
  let [accepted, requests] = [0, 0]
  const sockets = new Set<Socket>()
  const server = createServer({ ...tls, ALPNProtocols: ['h2'] }, socket => {
    accepted++
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    const write = (...args: Parameters<typeof frame>): void => { if (!socket.destroyed) socket.write(frame(...args)) }
    let own = 0
    const writer: FrameWriter = {
      socket,
      get requests() { return own },
      headers: id => { write(HEADERS, 4, id, Buffer.from([0x88])) },
      data: (id, text, isEnd) => { write(DATA, isEnd ? 1 : 0, id, Buffer.from(text)) },
      reset: (id, code) => { write(RST_STREAM, 0, id, numbers(code)) },
      goAway: (lastId, code) => { write(GOAWAY, 0, 0, numbers(lastId, code)) },
    }
    write(SETTINGS, 0, 0)
    let buffer = Buffer.alloc(0)
    let skip = PREFACE_BYTES
    socket.on('data', chunk => {
      buffer = Buffer.concat([buffer, chunk])
      if (buffer.length < skip) return
      buffer = buffer.subarray(skip)
      skip = 0
      while (buffer.length >= HEAD_BYTES && buffer.length >= HEAD_BYTES + buffer.readUIntBE(0, 3)) {
        const [type, flags, id] = [buffer.readUInt8(3), buffer.readUInt8(4), buffer.readUInt32BE(5)]
        buffer = buffer.subarray(HEAD_BYTES + buffer.readUIntBE(0, 3))
        if (type === SETTINGS && (flags & 1) === 0) write(SETTINGS, 1, 0)
        if (type !== HEADERS) continue
        requests++
        own++
        onRequest(id, writer)
      }
    })
  }).on('tlsClientError', () => {})
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get accepted() { return accepted },
    get requests() { return requests },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => { server.close(resolve) })
    },
  }
}
