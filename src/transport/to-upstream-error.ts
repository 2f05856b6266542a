import type { Call } from '../call/call.ts'
import { ConnectionError, DrainingError, OptionError, ResponseError, UpstreamError } from '../outcome/errors.ts'

/** How far an exchange had got when it failed. */
export interface Progress {
  /** The request had been assigned a connection. */
  readonly started: boolean
  /** The response's headers had arrived. */
  readonly answered: boolean
  /** The connection had been open before this attempt began. */
  readonly reused: boolean
  /** undici refused to build the request. */
  readonly refused: boolean
  /** The body of the response was not being read by its caller. */
  readonly unread: boolean
}

/** Codes of resources this process has exhausted; they say nothing about the upstream. */
const EXHAUSTED: ReadonlySet<string> = new Set([
  'EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOMEM', 'ENOBUFS', 'ERR_MEMORY_ALLOCATION_FAILED',
])
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED'])
/** Codes with which undici refuses to send a request. */
const UNSENDABLE: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'ERR_INVALID_ARG_TYPE',
])
/** At this message undici's fetch retries the upgrade to a WebSocket over HTTP/1.1. */
const NO_UPGRADE = 'HTTP/2: Extended CONNECT protocol not supported by server'
const REFUSED_STREAM = 7
/**
 * undici's messages for a request of which the server says, with GOAWAY, that it has not processed it (RFC 9113 §6.8), and for
 * one whose headers were not sent because a GOAWAY came first. undici sends such a request again once by itself.
 */
const UNPROCESSED = /^HTTP\/2: (?:"GOAWAY" frame received with code (\d+)|"frameError" received - type 1,)/

/** undici's message for requests that still wait for a stream, or wait again as theirs was refused. */
const NO_STREAMS = 'HTTP/2: server did not accept a new stream'

/** How a request failed that the server has not processed, over HTTP/2; undefined if it may have been. */
function unprocessed(error: Error, code: string): Pick<ConnectionError, 'reason' | 'blame'> | undefined {
  const { http2ErrorCode } = error as { http2ErrorCode?: unknown }
  if (http2ErrorCode === REFUSED_STREAM) return { reason: 'REFUSED_STREAM', blame: 'nobody' }
  if (error.message.startsWith(NO_STREAMS)) return { reason: code, blame: 'upstream' }
  const goaway = UNPROCESSED.exec(error.message)
  if (goaway === null || !code.startsWith('UND_ERR_')) return undefined
  // An orderly shutdown has code 0; any other code means an error of the upstream, or one it finds with its clients.
  return { reason: 'GOAWAY', blame: (goaway[1] ?? '0') === '0' ? 'nobody' : 'upstream' }
}

/** What is wrong with an invalid response, by the code of the parser's error. */
const INVALID_RESPONSE: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: 'headers too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'truncated: body length does not match content-length',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'body too large',
  ERR_ASSERTION: 'malformed',
}

/** Properties in which undici's errors hold part of the response. */
const RESPONSE_PROPERTIES = ['data', 'body', 'headers'] as const

/** An error as a cause; omitted when it holds data from the upstream, which must never be printed. */
const printableCause = (error: Error): Error | undefined => (RESPONSE_PROPERTIES.some(name => name in error) ? undefined : error)

const undiciCodeOf = (error: Error): string => {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : error.name
}

/** Whether undici itself refused to send the request, so that the upstream has not seen it. */
export const isUnsendable = (error: unknown, refused: boolean): boolean => {
  if (!(error instanceof Error)) return false
  const code = undiciCodeOf(error)
  return UNSENDABLE.has(code) || error.message === NO_UPGRADE || (refused && !CLOSED.has(code))
}

/**
 * Converts an error of undici, Node or a custom dispatcher to an UpstreamError or OptionError. Any error that is not
 * recognised is a failed connection.
 */
export function toUpstreamError(thrown: unknown, call: Call, progress: Progress): Error {
  if (thrown instanceof UpstreamError || thrown instanceof OptionError) return thrown
  const error = thrown instanceof Error ? thrown : new TypeError('A value that is not an Error was thrown')
  const code = undiciCodeOf(error)
  const cause = printableCause(error)
  const { trace } = call
  if (EXHAUSTED.has(code)) {
    return new ConnectionError(trace, code, { sent: progress.started ? 'maybe' : 'never', blame: 'process', cause })
  }
  if (CLOSED.has(code) && !progress.started) return new DrainingError(trace)
  if (CLOSED.has(code)) {
    const ended = new ConnectionError(trace, code, { sent: 'maybe', blame: 'process', cause })
    ended.stopped = 'draining'
    return ended
  }
  // The message names the invalid part ('invalid request path'), not its value.
  if (UNSENDABLE.has(code) || progress.refused) {
    return new OptionError('request', error.message, 'a request that can be sent', `the request cannot be sent: ${error.message}`)
  }
  // A server that has begun its answer has processed the request, whatever it says later.
  const refusal = progress.answered ? undefined : unprocessed(error, code)
  if (refusal !== undefined) return new ConnectionError(trace, refusal.reason, { sent: 'never', blame: refusal.blame, cause })
  // A parser's error holds raw bytes from the upstream in `data`: only its message is used, and it is no cause.
  if (error.name === 'HTTPParserError') return new ResponseError(trace, `malformed: ${error.message}`, 'gateway')
  const flaw = INVALID_RESPONSE[code]
  if (flaw !== undefined) return new ResponseError(trace, flaw, 'gateway')
  const truncated = `truncated: connection lost during the body (${code})`
  if (progress.unread) return new ResponseError(trace, `${truncated}, which its caller did not read`, 'none', cause)
  if (progress.answered) return new ResponseError(trace, truncated, 'gateway', cause)
  const blame = progress.reused ? 'nobody' : 'upstream'
  return new ConnectionError(trace, code, { sent: progress.started ? 'maybe' : 'never', blame, cause })
}
