import dns from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import type { buildConnector } from 'undici'
import type { Clock } from '../clock.ts'
import { errors } from './undici.ts'

/** What undici's connector makes, with the part of the socket we look at. */
type Connected = Parameters<buildConnector.Callback>[1]

/** undici's types say that it returns nothing; it is the socket, still connecting. */
type Connect = (...given: Parameters<buildConnector.connector>) => unknown

/** Looks up a name as Node does. At an empty answer Node would throw a TypeError where nobody can catch it. */
export const lookup: LookupFunction = (hostname, options, done) => {
  dns.lookup(hostname, options, (error, found, family) => {
    const isEmpty = error === null && (found as typeof found | undefined ?? '').length === 0
    if (isEmpty) done(Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' }), [])
    else done(error, found, family)
  })
}

/**
 * Wraps undici's connector in a time-out that is exact (undici's own runs on ticks of half a second), and remembers
 * when each connection was made, so that a failure can be told to be a stale one's.
 */
export class Connections {
  /** Errors of connections, and when the connection that failed had been made. */
  #madeAt = new WeakMap<object, number>()
  readonly connector: buildConnector.connector
  /** The error of a connection, while those who use it are being told. */
  failing: Error | undefined = undefined

  constructor(connect: Connect, timeout: number, clock: Clock) {
    this.connector = (options, callback) => {
      const done: buildConnector.Callback = (...outcome) => {
        timer.cancel()
        const [error, socket] = outcome
        if (error === null) this.#watch(socket, clock.now())
        callback(...outcome)
      }
      // Armed first: setting up TLS takes a while of its own.
      // eslint-disable-next-line prefer-const -- the timer is older than what it ends
      let connecting: unknown
      const timer = clock.after(timeout, () => { (connecting as Socket).destroy(new errors.ConnectTimeoutError(`no connection within ${timeout} ms`)) })
      connecting = connect(options, done)
    }
  }

  /** Whether the connection that failed with `error` had been made before `since`. */
  readonly wasOpenBefore = (error: unknown, since: number): boolean => {
    const madeAt = typeof error === 'object' && error !== null ? this.#madeAt.get(error) : undefined
    return madeAt !== undefined && madeAt <= since
  }

  #watch(socket: NonNullable<Connected>, now: number): void {
    // Ours is the first listener, so the error is known before undici hands it to the request.
    socket.on('error', (error: Error) => {
      this.#madeAt.set(error, now)
      this.failing = error
      queueMicrotask(() => { this.failing = undefined })
    })
  }
}
