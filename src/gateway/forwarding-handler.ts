import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Dispatcher } from '../transport/undici.ts'
import { causeBy, causeOf, type Cause } from './cause.ts'
import { TimeoutError } from '../outcome/errors.ts'
import { resetStream, streamOf } from './http2.ts'
import type { GatewayPolicy } from './options.ts'
import { sendProblem } from './problem.ts'
import { isChunkedAtMost } from './refusal.ts'
import { headerOf, trailerOf } from './response.ts'

type Controller = Dispatcher.DispatchController
type ResponseHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** A request that is being forwarded, and the response to its client. */
export interface RequestContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly policy: GatewayPolicy
  /** The name of the upstream that the client may see; undefined if the upstream only has an address. */
  readonly upstream: string | undefined
  readonly body: Readable | undefined
}

/** Forwards the upstream's response to the client, or responds in its place. */
export class ForwardingHandler implements Dispatcher.DispatchHandler {
  protected readonly context: RequestContext
  #controller: Controller | undefined
  /** Whether the upstream has been released, so that nothing it sends counts any more. */
  #isOver = false
  /** The client's connection, while the gateway waits for the client to read. */
  #awaited: Socket | ServerHttp2Stream | null = null
  /** The timeout this connection had before. */
  #socketTimeout = 0

  constructor(context: RequestContext) {
    this.context = context
  }

  onRequestStart(controller: Controller): void {
    const { res } = this.context
    this.#controller = controller
    if (isGone(res)) this.#onClose()
    else res.once('close', this.#onClose).on('drain', this.#onDrain)
  }

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders): void {
    const { res, req, policy: { via }, upstream } = this.context
    if (status < 200) {
      // HTTP/1.0 has no interim responses.
      if (status === 103 && req.httpVersion !== '1.0') this.#hint(headers)
      return
    }
    if (!isChunkedAtMost(headers['transfer-encoding'])) {
      const error = new Error('The upstream used an unsupported transfer coding')
      this.reject(controller, error, causeBy('http_response_transfer_coding'))
      return
    }
    try {
      res.writeHead(status, headerOf(controller, status, headers, { upstream, via }))
    } catch (error) {
      // Node refuses to send invalid header fields.
      this.reject(controller, error, causeBy('http_protocol_error'))
    }
    if (!this.#isOver) flushSoon(res)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    const { res } = this.context
    if (this.#isOver || isGone(res) || res.write(chunk) || controller.paused) return
    controller.pause()
    this.#await()
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    if (this.#isOver) return
    const { res } = this.context
    const pairs = trailerOf(controller, trailers)
    if (pairs.length > 0) res.addTrailers(streamOf(res) === undefined ? pairs : byName(pairs))
    res.end()
    this.over()
    // The upstream is finished; what the client has not read yet is buffered in memory.
    this.#await()
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#isOver) return
    const { res, req, policy, upstream } = this.context
    this.over()
    if (isGone(res) || req.errored !== null) return
    // A client that reads nothing of its response is treated as a client that has gone away.
    if (res.headersSent && error instanceof TimeoutError && error.phase === 'caller') {
      destroy(res)
      return
    }
    if (res.headersSent) cutOff(res)
    else sendProblem(res, causeOf(error), upstream, policy.via)
    policy.onError?.(error, req)
  }

  /** Rejects the upstream's response, and responds in its place. */
  protected reject(controller: Controller, error: unknown, cause: Cause): void {
    const { res, req, policy, upstream } = this.context
    this.over()
    controller.abort(error as Error)
    sendProblem(res, cause, upstream, policy.via)
    policy.onError?.(error, req)
  }

  #hint({ link }: ResponseHeaders): void {
    if (link === undefined) return
    try {
      this.context.res.writeEarlyHints({ link })
    } catch {
      // Node rejects links it does not accept; early hints are optional.
    }
  }

  readonly #onClose = (): void => {
    this.#awaited?.off('timeout', this.#onTimeout)
    if (this.over()) this.#controller?.abort(new Error('The client closed the connection'))
  }

  readonly #onDrain = (): void => {
    this.#stopAwaiting()
    this.#controller?.resume()
  }

  /** Ends both connections: a client that does not read must not hold a connection forever. */
  readonly #onTimeout = (): void => {
    this.#onClose()
    destroy(this.context.res)
  }

  /** Waits for the client to read, at most for `clientTimeout`. */

  readonly #await = (): void => {
    const { res, policy: { clientTimeout } } = this.context
    this.#stopAwaiting()
    // Over HTTP/2 one connection has many responses, and only the stream waits.
    const socket = streamOf(res) ?? res.socket
    this.#awaited = socket
    // A pipelined response has no socket until it is its turn.
    if (socket === null) res.off('socket', this.#await).once('socket', this.#await)
    else {
      this.#socketTimeout = (socket as { timeout?: number }).timeout ?? 0
      socket.once('timeout', this.#onTimeout).setTimeout(clientTimeout)
    }
  }

  #stopAwaiting(): void {
    this.#awaited?.off('timeout', this.#onTimeout).setTimeout(this.#socketTimeout)
    this.#awaited = null
  }

  /** Releases the upstream. @returns false if it was released before. */
  protected over(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#stopAwaiting()
    this.context.res.off('drain', this.#onDrain)
    this.context.body?.destroy()
    return true
  }
}

/** Sends the header without waiting for the body, together with what is there already. */
function flushSoon(res: ServerResponse): void {
  const { socket } = res
  if (streamOf(res) !== undefined) {
    res.flushHeaders()
    return
  }
  // The socket is corked, not the response: the end of a corked response would overtake its chunks.
  socket?.cork()
  // Field values are octets (RFC 9110 §5.5): flushHeaders() would encode them as UTF-8.
  res.write('', 'latin1')
  process.nextTick(() => { socket?.uncork() })
}

/**
 * Ends a response that cannot be completed, so that the client sees that it is incomplete: a response without a length or chunks
 * would look complete at the orderly end of its connection, so the connection is reset.
 */
function cutOff(res: ServerResponse): void {
  const { socket } = res
  if (streamOf(res) !== undefined) {
    destroy(res)
    return
  }
  if (socket !== null && !res.chunkedEncoding && !('encrypted' in socket) && socket.remoteAddress !== undefined) {
    socket.resetAndDestroy()
  } else res.destroy()
}

const isGone = (res: ServerResponse): boolean => streamOf(res)?.destroyed ?? res.destroyed

/** Ends a response at once, in a way that shows that it is incomplete. */
function destroy(res: ServerResponse): void {
  const stream = streamOf(res)
  if (stream === undefined) res.destroy()
  else resetStream(stream)
}

/** Trailers for a response over HTTP/2, where Node takes no pairs; a name that is repeated becomes a list. */
const byName = (pairs: readonly (readonly [string, string])[]): Record<string, string> => {
  const trailers: Record<string, string> = {}
  for (const [name, value] of pairs) trailers[name] = trailers[name] === undefined ? value : `${trailers[name]}, ${value}`
  return trailers
}
