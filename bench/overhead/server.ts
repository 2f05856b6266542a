// The upstream of the overhead part: a process of its own, and no more work per request than it takes to be correct, so
// that the client is what is measured.
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { answer } from '../process/child.ts'
import { HUGE, LARGE, SMALL } from './cases.ts'

const END = Buffer.from('\r\n\r\n')
const head = (type: string, length: number): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\nkeep-alive: timeout=60\r\n\r\n`
const small = JSON.stringify(SMALL)
const smallReply = Buffer.from(head('application/json', Buffer.byteLength(small)) + small)
const largeReply = Buffer.concat([Buffer.from(head('application/octet-stream', LARGE)), Buffer.alloc(LARGE, 'x')])
const hugeHead = head('application/octet-stream', HUGE)
const hugeChunk = Buffer.alloc(64 * 1024, 'y')

/** Answers what is complete, and keeps the rest until more comes. */
function serve(socket: Socket): void {
  let kept: Buffer | undefined
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.on('data', data => {
    let buffer = kept === undefined ? data as Buffer : Buffer.concat([kept, data])
    for (let end = buffer.indexOf(END); end >= 0; end = buffer.indexOf(END)) {
      const head = buffer.toString('latin1', 0, end)
      const whole = end + END.length + bodyLength(head)
      if (buffer.length < whole) break
      buffer = buffer.subarray(whole)
      respond(socket, head)
    }
    kept = buffer.length === 0 ? undefined : buffer
  })
}

const bodyLength = (head: string): number =>
  head.startsWith('GET ') ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)

function respond(socket: Socket, head: string): void {
  if (head.startsWith('GET /large')) socket.write(largeReply)
  else if (head.startsWith('GET /huge')) stream(socket, HUGE)
  else socket.write(smallReply)
}

function stream(socket: Socket, length: number): void {
  let left = length
  socket.write(hugeHead)
  const write = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= hugeChunk.length
      if (!socket.write(hugeChunk)) {
        if (left > 0) socket.once('drain', write)
        return
      }
    }
  }
  write()
}

const server = createServer(serve)

answer({
  listen: () => new Promise<string>(resolve => {
    server.listen(0, '127.0.0.1', () => { resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) })
  }),
})
