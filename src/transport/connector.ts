import dns from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import type { Clock } from '../clock.ts'
import { errors } from './undici.ts'

/** What undici's connector passes to its callback. */
type Connected = Parameters<buildConnector.Callback>[1]

/** A connector of undici. Its type says that it returns nothing; it returns the socket, still connecting. */
type Connect = (...args: Parameters<buildConnector.connector>) => unknown

/** Looks up a name as Node does, with an error for an empty result, at which Node would throw an uncatchable TypeError. */
export const lookup: LookupFunction = (hostname, options, done) => {
  dns.lookup(hostname, options, (error, found, family) => {
    const isEmpty = error === null && (found as typeof found | undefined ?? '').length === 0
    if (isEmpty) done(Object.assign(new Error(`getaddrinfo returned no address for ${hostname}`), { code: 'ENOTFOUND' }), [])
    else done(error, found, family)
  })
}

/**
 * Wraps undici's connector with an exact timeout (undici's own runs on ticks of half a second), and records when each
 * connection was made, so that the failure of a stale connection can be recognised.
 */
export class TrackedConnector {
  /** When the connection was made that failed with an error, by error. */
  #madeAt = new WeakMap<object, number>()
  readonly connect: buildConnector.connector
  /** The error of a connection, while undici passes it to the requests on it. */
  failing: Error | undefined = undefined
  /** Whether the newest connection speaks HTTP/2. */
  isHttp2 = false

  constructor(connect: Connect, timeout: number, clock: Clock) {
    this.connect = (options, callback) => {
      const done: buildConnector.Callback = (...outcome) => {
        timer.cancel()
        const [error, socket] = outcome
        if (error === null) {
          this.isHttp2 = (socket as Partial<TLSSocket>).alpnProtocol === 'h2'
          this.#watch(socket, clock.now())
        }
        callback(...outcome)
      }
      // Armed first, as setting up TLS takes time as well.
      let connecting: unknown
      const timer = clock.after(timeout, () => { (connecting as Socket).destroy(new errors.ConnectTimeoutError(`no connection within ${timeout} ms`)) })
      try {
        connecting = connect(options, done)
      } catch (error) {
        // Thrown in place: by TLS options that do not fit together, or a caller's `lookup`. There is no socket to give up.
        timer.cancel()
        throw error
      }
    }
  }

  /** Whether the connection that failed with `error` had been made before `since`. */
  readonly wasOpenBefore = (error: unknown, since: number): boolean => {
    const madeAt = typeof error === 'object' && error !== null ? this.#madeAt.get(error) : undefined
    return madeAt !== undefined && madeAt <= since
  }

  #watch(socket: NonNullable<Connected>, now: number): void {
    // This is the first listener, so the error is recorded before undici passes it to the request.
    socket.on('error', (error: Error) => {
      this.#madeAt.set(error, now)
      this.failing = error
      queueMicrotask(() => { this.failing = undefined })
    })
  }
}
