import { subscribe } from 'node:diagnostics_channel'
import { constants, type ClientHttp2Session, type ClientHttp2Stream, type Http2Session } from 'node:http2'
import type { Clock } from '../clock.ts'
import { errors } from './undici.ts'

/** How long a peer may take to acknowledge a PING, in ms, after a call on its session has timed out. */
const PROBE_TIMEOUT = 1_000

/** Node publishes each stream as it is made. */
const STREAM_CREATED = 'http2.client.stream.created'

/** The stream of an exchange over HTTP/2, which undici does not pass to its handler. */
export class H2Stream {
  readonly #stream: ClientHttp2Stream
  #hasEnded = false

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream
    // When a session fails, Node may emit its error on a stream from which undici has removed its listeners.
    stream.on('error', () => undefined)
    if (stream.session !== undefined) closeOrphans(stream.session)
    const push = stream.push.bind(stream)
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#hasEnded = true
      return push(chunk, encoding)
    }
  }

  /** Whether the peer reset the stream before the end of its response; after CANCEL and NO_ERROR undici reports a whole body. */
  get isCutOff(): boolean {
    return this.#stream.closed && !this.#hasEnded
  }

  get cutOff(): Error {
    const error = new Error(`The stream was reset with code ${this.#stream.rstCode } before its end`)
    return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR' })
  }

  /**
   * Checks with a PING whether the peer is still there, as a call on its session has timed out. A session whose peer has vanished
   * would otherwise take all further calls until it is too old.
   */
  probe(clock: Clock): void {
    const { session } = this.#stream
    if (session !== undefined && !probed.has(session)) probe(session as ClientHttp2Session, clock)
  }
}

/** Sessions whose orphans are closed. */
const watched = new WeakSet<object>()

/**
 * A response to a stream that has just been cancelled is a new stream to Node, to which the session's error would be uncaught. As
 * undici allows no pushed streams, every such stream is an orphan.
 */
function closeOrphans(session: Http2Session): void {
  if (watched.has(session)) return
  watched.add(session)
  session.on('stream', (orphan: ClientHttp2Stream) => { orphan.on('error', () => undefined).close(constants.NGHTTP2_CANCEL) })
}

/** Sessions whose peer has not yet acknowledged a PING. */
const probed = new WeakSet<object>()

function probe(session: ClientHttp2Session, clock: Clock): void {
  if (session.closed || session.destroyed) return
  const acknowledged = (): void => { probed.delete(session) }
  if (!session.ping(acknowledged)) return
  probed.add(session)
  const half = (run: () => void): void => {
    clock.after(PROBE_TIMEOUT / 2, () => { if (probed.has(session)) run() }, true)
  }
  // In two halves: after this process itself stood still, an acknowledgement is read between them.
  half(() => { half(() => { session.destroy(new errors.SocketError('HTTP/2: the peer does not answer')) }) })
}

let isSubscribed = false
let expected: ((stream: H2Stream) => void) | undefined

/** Gives the stream that undici makes next, in this turn, to `found`. */
export function expectStream(found: (stream: H2Stream) => void): void {
  if (!isSubscribed) {
    isSubscribed = true
    subscribe(STREAM_CREATED, message => {
      expected?.(new H2Stream((message as { stream: ClientHttp2Stream }).stream))
      expected = undefined
    })
  }
  expected = found
  queueMicrotask(() => { if (expected === found) expected = undefined })
}
