import type { Socket } from 'node:net'
import { pathOf } from '../replies.ts'

/** The most bytes of one request that are kept. */
const MOST = 8 * 1024 * 1024

interface Parsed {
  readonly path: string
  readonly length: number
}

/** Reads one whole HTTP/1.1 request off the front of `bytes`, if it is there. */
const parse = (bytes: Buffer): Parsed | undefined => {
  const body = bytes.indexOf('\r\n\r\n') + 4
  if (body === 3) return undefined
  const head = bytes.toString('latin1', 0, body)
  const path = pathOf(head.split(' ', 2)[1])
  if (/^transfer-encoding:.*chunked/im.test(head)) {
    const end = bytes.indexOf('0\r\n\r\n', body)
    return end < 0 ? undefined : { path, length: end + 5 }
  }
  const length = body + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
  return bytes.length < length ? undefined : { path, length }
}

/** Calls `onRequest` with the path and number of each request a connection brings, when it has come in whole. */
export const readRequests = (socket: Socket, onRequest: (path: string, turn: number) => void): void => {
  let pending = Buffer.alloc(0)
  let turn = 0
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    if (pending.length > MOST) socket.destroy()
    for (let next = parse(pending); next !== undefined && !socket.destroyed; next = parse(pending)) {
      pending = pending.subarray(next.length)
      onRequest(next.path, turn++)
    }
  })
}
