import type { Call } from '../call/call.ts'
import { ConnectionError, DrainingError, OptionError, ResponseError, UpstreamError } from '../outcome/errors.ts'

/** How far an exchange had come when it failed. */
export interface Progress {
  /** The request had been given a connection. */
  readonly started: boolean
  /** The response's headers had come. */
  readonly answered: boolean
  /** The connection had been open before this attempt began. */
  readonly reused: boolean
}

/** This process has run out of something; the upstream has nothing to do with it. */
const OURS: ReadonlySet<string> = new Set([
  'EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOMEM', 'ENOBUFS', 'ERR_MEMORY_ALLOCATION_FAILED',
])
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED'])
/** undici refuses to send what we were asked to. */
const UNSENDABLE: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'ERR_INVALID_ARG_TYPE',
])
/** undici's fetch asks a WebSocket's server anew over HTTP/1.1 when it sees this. */
const NO_UPGRADE = 'HTTP/2: Extended CONNECT protocol not supported by server'
const REFUSED_STREAM = 7

/** A response that breaks HTTP or a bound, by the code or class of what the parser throws. */
const BAD_RESPONSE: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: 'headers too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'truncated: the body is not as long as announced',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'body too large',
  ERR_ASSERTION: 'malformed',
}

/** Errors of undici's that hold part of the response, in one of these. */
const HOLDERS = ['data', 'body', 'headers'] as const

/** An error as a cause: left out when it holds what the upstream sent, as that must never be printed. */
const causeOf = (error: Error): Error | undefined => (HOLDERS.some(name => name in error) ? undefined : error)

const undiciCodeOf = (error: Error): string => {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : error.name
}

/** Whether undici itself refuses to send a request; nobody upstream has heard of it. */
export const isUnsendable = (error: unknown): boolean =>
  error instanceof Error && (UNSENDABLE.has(undiciCodeOf(error)) || error.message === NO_UPGRADE)

/**
 * Makes one of our errors of whatever undici, Node or a dispatcher of the caller's throws. It is total: what is not
 * recognised is a failed connection.
 */
export function toUpstreamError(thrown: unknown, call: Call, progress: Progress): Error {
  if (thrown instanceof UpstreamError || thrown instanceof OptionError) return thrown
  const error = thrown instanceof Error ? thrown : new TypeError('Something that is not an error was thrown')
  const code = undiciCodeOf(error)
  const cause = causeOf(error)
  const { trace } = call
  if (OURS.has(code)) return new ConnectionError(trace, code, progress.started ? 'maybe' : 'never', 'process', cause)
  if (CLOSED.has(code) && !progress.started) return new DrainingError(trace)
  if (CLOSED.has(code)) {
    const ended = new ConnectionError(trace, code, 'maybe', 'process', cause)
    ended.stopped = 'draining'
    return ended
  }
  // The message names the part that is wrong ('invalid request path'), not its value.
  if (UNSENDABLE.has(code)) {
    return new OptionError('request', error.message, 'a request that can be sent', `the request cannot be sent: ${error.message}`)
  }
  if ((error as { http2ErrorCode?: unknown }).http2ErrorCode === REFUSED_STREAM) {
    return new ConnectionError(trace, 'REFUSED_STREAM', 'never', 'nobody', cause)
  }
  // A parser's error holds raw bytes of the upstream's in `data`: it is described here and never passed on.
  if (error.name === 'HTTPParserError') return new ResponseError(trace, `malformed: ${error.message}`, 'gateway')
  const broken = BAD_RESPONSE[code]
  if (broken !== undefined) return new ResponseError(trace, broken, 'gateway')
  if (progress.answered) return new ResponseError(trace, `truncated: connection failed in the body (${code})`, 'gateway', cause)
  if (!progress.started) return new ConnectionError(trace, code, 'never', 'upstream', cause)
  return new ConnectionError(trace, code, 'maybe', progress.reused ? 'nobody' : 'upstream', cause)
}
