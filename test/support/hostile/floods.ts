import { fault, type Fault } from './fault.ts'
import { drip, head, pump } from './wire.ts'

const MIB = 1024 * 1024
const LINE = `x-bomb: ${'b'.repeat(1000)}\r\n`
const EARLY_HINTS = head(103, [['link', '</style.css>; rel=preload']])

/** Begins a reply and sends its headers a byte at a time, without end. Fires at the first byte. */
export const slowDripHeaders = (every = 10): Fault =>
  fault('slowDripHeaders', ({ socket }, fire) => {
    socket.write('HTTP/1.1 200 OK\r\nx-slow: ')
    drip(socket, every, () => 'z', fire)
  })

/** Sends the headers, then the body a byte at a time, without end. Fires at the first byte. */
export const slowDripBody = (every = 10): Fault =>
  fault('slowDripBody', ({ socket }, fire) => {
    socket.write(head(200, [['content-length', 1_000_000]]))
    drip(socket, every, () => 'z', fire)
  })

/** Sends one header after another until `limit` bytes, as fast as they are taken. Fires once 64 KiB are sent. */
export const headerBomb = (limit = 64 * MIB): Fault =>
  fault('headerBomb', ({ socket }, fire) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    pump(socket, 64 * 1024, () => LINE, () => {
      fire()
      pump(socket, limit, () => LINE)
    })
  })

/** Sends one interim 103 after another and never the reply, as fast as they are taken. Fires once 64 KiB are sent. */
export const interim1xxFlood = (limit = 256 * MIB): Fault =>
  fault('interim1xxFlood', ({ socket }, fire) => {
    pump(socket, 64 * 1024, () => EARLY_HINTS, () => {
      fire()
      pump(socket, limit, () => EARLY_HINTS)
    })
  })

/** Sends an interim 103 now and then and never the reply: each one is a sign of life. Fires at the first. */
export const interim1xxDrip = (every = 10): Fault =>
  fault('interim1xxDrip', ({ socket }, fire) => drip(socket, every, () => EARLY_HINTS, fire))

/** Sends a chunked body without end, as fast as it is taken, up to `limit` bytes. Fires once 64 KiB are sent. */
export const endlessBody = (limit = 256 * MIB): Fault => {
  const chunk = `4000\r\n${'e'.repeat(0x4000)}\r\n`
  return fault('endlessBody', ({ socket }, fire) => {
    socket.write(head(200, [['transfer-encoding', 'chunked']]))
    pump(socket, 64 * 1024, () => chunk, () => {
      fire()
      pump(socket, limit, () => chunk)
    })
  })
}
