import { refuse as refused } from '../options/refuse.ts'
import type { ReplyHeaders } from '../outcome/reply.ts'
import type { Attempt } from './attempt.ts'
import { connectionRefused, connectionReset, connectTimedOut, nameNotFound, otherSideClosed, parserError } from './faults.ts'
import type { Wire } from './wire.ts'

/**
 * What a scripted upstream does with one attempt. The scripts of this module cover the usual cases; a test may write its own, and
 * combine others: `(attempt, wire) => (attempt.path === '/a' ? json(1) : status(404))(attempt, wire)`.
 */
export type Script = (attempt: Attempt, wire: Wire) => Promise<void>

/** How a slow body is split into chunks. */
export interface Pace {
  /** Time before each chunk, in ms. */
  readonly every: number
  /** Bytes per chunk. @default 1 */
  readonly bytes?: number
}

/** The periods of a flapping upstream, and what it does in them. */
export interface Flapping {
  /** How long it is healthy, in ms; it starts healthy when the world does. */
  readonly up: number
  /** How long it is unhealthy, in ms. */
  readonly down: number
  /** What it does while it is healthy. @default status(200) */
  readonly whenUp?: Script
  /** What it does while it is unhealthy. @default refuse() */
  readonly whenDown?: Script
}

const BODILESS: readonly number[] = [204, 205, 304]

const whole = (where: string, value: number, min: number, max: number = Number.MAX_SAFE_INTEGER): void => {
  const fits = Number.isInteger(value) && value >= min && value <= max
  if (!fits) refused(where, value, `an integer from ${min} to ${max}`)
}
const duration = (where: string, value: number): void => {
  if (!(value >= 0 && value < Infinity)) refused(where, value, 'a non-negative number of ms')
}

/** Replies with a status, header fields and a body of known length. */
export const status = (code: number, headers: ReplyHeaders = {}, body: string | Uint8Array = ''): Script => {
  whole('status', code, 200, 599)
  const length = BODILESS.includes(code) ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return async ({ method }, wire) => {
    await wire.head(code, { ...length, ...headers })
    if (method !== 'HEAD' && body.length > 0) await wire.write(body)
    await wire.end()
  }
}

/** Replies with `value` as JSON. */
export const json = (value: unknown, code = 200, headers: ReplyHeaders = {}): Script =>
  status(code, { 'content-type': 'application/json', ...headers }, JSON.stringify(value))

/** Replies that it is overloaded, and when to retry: 503 with a Retry-After, or 429. */
export const retryAfter = (seconds: number, code = 503): Script => {
  whole('seconds', seconds, 0)
  return status(code, { 'retry-after': String(seconds) })
}

/** Does not listen: ECONNREFUSED. */
export const refuse = (): Script => async ({ origin }, wire) => { await wire.fail(connectionRefused(new URL(origin))) }

/** Has a name that does not resolve: ENOTFOUND. */
export const unknownHost = (): Script => async ({ origin }, wire) => { await wire.fail(nameNotFound(new URL(origin))) }

/**
 * Is behind a firewall that drops all packets: no connection, and UND_ERR_CONNECT_TIMEOUT after `connectTimeout` ms.
 * @param connectTimeout - the value of `pool.connectTimeout`, which a scripted upstream does not know.
 */
export const blackHole = (connectTimeout = 2_000): Script => {
  duration('connectTimeout', connectTimeout)
  return async (_, wire) => {
    await wire.wait(connectTimeout)
    await wire.fail(connectTimedOut(connectTimeout))
  }
}

/** Reads the request and never replies; with `bytes`, sends the headers and that many bytes of the body first. */
export const hang = (bytes?: number): Script => begun(bytes)

/** Resets the connection (ECONNRESET) after reading the request; with `bytes`, after that many bytes of the reply's body. */
export const reset = (bytes?: number): Script => broken(bytes, connectionReset)

/** Closes the connection (UND_ERR_SOCKET) after reading the request; with `bytes`, after that many bytes of the reply's body. */
export const hangUp = (bytes?: number): Script => broken(bytes, otherSideClosed)

/** Replies with bytes that are not HTTP. */
export const garbage = (): Script => async (_, wire) => {
  await wire.accept()
  await wire.fail(parserError())
}

/** Replies with a 200 at once and its body chunk by chunk, each when the reader is ready for more. */
export const slowBody = (body: string | Uint8Array, { every, bytes = 1 }: Pace): Script => {
  duration('every', every)
  whole('bytes', bytes, 1)
  const all = Buffer.from(body as Uint8Array)
  return async (_, wire) => {
    await wire.head(200, { 'content-length': String(all.length) })
    for (let from = 0; from < all.length; from += bytes) {
      await wire.wait(every)
      await wire.write(all.subarray(from, from + bytes))
    }
    await wire.end()
  }
}

/** Reads the request, waits `ms`, then runs `script`. */
export const after = (ms: number, script: Script): Script => {
  duration('ms', ms)
  return async (attempt, wire) => {
    await wire.accept()
    await wire.wait(ms)
    await script(attempt, wire)
  }
}

/** Flaps: healthy for `up` ms, unhealthy for `down` ms, and so on. */
export const flapping = ({ up, down, whenUp = status(200), whenDown = refuse() }: Flapping): Script => {
  whole('up', up, 1)
  whole('down', down, 1)
  return (attempt, wire) => (attempt.at % (up + down) < up ? whenUp : whenDown)(attempt, wire)
}

/** Reads the request and, with `bytes`, sends the beginning of a longer reply. */
const begun = (bytes: number | undefined): Script => {
  if (bytes !== undefined) whole('bytes', bytes, 0)
  return async (_, wire) => {
    await wire.accept()
    if (bytes === undefined) return
    await wire.head(200, { 'content-length': String(bytes + 1) })
    if (bytes > 0) await wire.write(Buffer.alloc(bytes, 'x'))
  }
}

/** Does the same, then fails the connection. */
const broken = (bytes: number | undefined, error: () => Error): Script => {
  const begin = begun(bytes)
  return async (attempt, wire) => {
    await begin(attempt, wire)
    await wire.fail(error())
  }
}
