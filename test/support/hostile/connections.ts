import { fault, type Fault } from './fault.ts'
import { reply, reset } from './wire.ts'

const BODY = 'x'.repeat(1000)
const REPLY = reply(200, BODY, [['content-type', 'text/plain']])

/** Accepts the connection, reads whatever comes and never says a word. Fires per connection. */
export const acceptAndSayNothing = (): Fault =>
  fault('acceptAndSayNothing', (_, fire) => fire(), { at: 'accept' })

/** Reads the request and never answers it. Fires per request. */
export const neverAnswer = (): Fault =>
  fault('neverAnswer', (_, fire) => fire())

/** Resets the connection as soon as it is accepted. */
export const resetAtAccept = (): Fault =>
  fault('resetAtAccept', ({ socket }, fire) => {
    socket.resetAndDestroy()
    fire()
  }, { at: 'accept' })

/** Ends the connection cleanly as soon as it is accepted. */
export const closeAtAccept = (): Fault =>
  fault('closeAtAccept', ({ socket }, fire) => socket.end(fire), { at: 'accept' })

/** Resets the connection once so many bytes of a 1000 byte reply have been sent; 0 is before the first. */
export const resetAfter = (bytes: number): Fault =>
  fault(`resetAfter(${bytes})`, ({ socket }, fire) => reset(socket, REPLY.subarray(0, bytes), fire))

/** Resets the connection in the middle of a reply's headers. */
export const resetMidHeaders = (): Fault => resetAfter(20)

/** Resets the connection with the headers and half of the body sent. */
export const resetMidBody = (): Fault => resetAfter(REPLY.length - BODY.length / 2)

/**
 * Answers the first request of each connection well, and ends the connection as soon as bytes of a second come in,
 * before a byte of reply to it: the race every keep-alive client loses now and then. Fires per second request.
 */
export const keepAliveReset = (how: 'reset' | 'end' = 'reset'): Fault =>
  fault(`keepAliveReset(${how})`, ({ socket, turn }, fire) => {
    if (turn > 0) return
    socket.write(REPLY)
    socket.once('data', () => {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.end()
      fire()
    })
  })

/** Answers well, then resets the connection while it is idle and unasked. Fires per reply. */
export const resetWhenIdle = (): Fault =>
  fault('resetWhenIdle', ({ socket }, fire) => reset(socket, REPLY, fire))
