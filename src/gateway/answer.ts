import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Dispatcher } from '../transport/undici.ts'
import { causeBy, causeOf, type Cause } from './cause.ts'
import { TimeoutError } from '../outcome/errors.ts'
import type { GatewayPolicy } from './options.ts'
import { sendProblem } from './problem.ts'
import { headerOf, trailerOf } from './response.ts'

type Controller = Dispatcher.DispatchController
type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** A request on its way, and where its answer goes. */
export interface Errand {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly policy: GatewayPolicy
  /** As it is told to the client; undefined for one that has only an address. */
  readonly upstream: string | undefined
  readonly body: Readable | undefined
}

/** The answer of the upstream on its way to the client, or what is said in its place. */
export class Answer implements Dispatcher.DispatchHandler {
  protected readonly errand: Errand
  #controller: Controller | undefined
  /** The upstream has been let go, and nothing it does is its fault. */
  #isOver = false
  /** The client's connection while it is waited for, and the time limit it had. */
  #awaited: Socket | null = null
  #limit = 0

  constructor(errand: Errand) {
    this.errand = errand
  }

  onRequestStart(controller: Controller): void {
    const { res } = this.errand
    this.#controller = controller
    if (res.destroyed) this.#gone()
    else res.once('close', this.#gone).on('drain', this.#drained)
  }

  onResponseStart(controller: Controller, status: number, headers: Headers): void {
    const { res, req, policy: { via }, upstream } = this.errand
    if (status < 200) {
      // A client of HTTP/1.0 knows of no interim responses.
      if (status === 103 && req.httpVersion !== '1.0') this.#hint(headers)
      return
    }
    try {
      res.writeHead(status, headerOf(controller, status, headers, upstream, via))
    } catch (error) {
      // Node does not send what HTTP has no place for.
      this.refuse(controller, error, causeBy('http_protocol_error'))
    }
    if (!this.#isOver) flushSoon(res)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    const { res } = this.errand
    if (this.#isOver || res.destroyed || res.write(chunk) || controller.paused) return
    controller.pause()
    this.#await()
  }

  onResponseEnd(controller: Controller, trailers: Headers): void {
    if (this.#isOver) return
    const { res } = this.errand
    const pairs = trailerOf(controller, trailers)
    if (pairs.length > 0) res.addTrailers(pairs)
    res.end()
    this.over()
    // The upstream is done with; what the client has not taken yet is here, and takes memory.
    this.#await()
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#isOver) return
    const { res, req, policy, upstream } = this.errand
    this.over()
    if (res.destroyed || req.errored !== null) return
    // A client that takes nothing of its reply has gone away, as far as anyone can tell.
    if (res.headersSent && error instanceof TimeoutError && error.phase === 'caller') {
      res.destroy()
      return
    }
    if (res.headersSent) cutOff(res)
    else sendProblem(res, causeOf(error), upstream, policy.via)
    policy.onError?.(error, req)
  }

  /** Lets go of the upstream for what it answered. */
  protected refuse(controller: Controller, error: unknown, cause: Cause): void {
    const { res, req, policy, upstream } = this.errand
    this.over()
    controller.abort(error as Error)
    sendProblem(res, cause, upstream, policy.via)
    policy.onError?.(error, req)
  }

  #hint({ link }: Headers): void {
    if (link === undefined) return
    try {
      this.errand.res.writeEarlyHints({ link })
    } catch {
      // Node is strict with links, and a hint is only a hint.
    }
  }

  readonly #gone = (): void => {
    this.#awaited?.off('timeout', this.#stalled)
    if (this.over()) this.#controller?.abort(new Error('the client has gone away'))
  }

  readonly #drained = (): void => {
    this.#patient()
    this.#controller?.resume()
  }

  /** A client that takes nothing must not keep a permit for ever. */
  readonly #stalled = (): void => {
    this.#gone()
    this.errand.res.destroy()
  }

  readonly #await = (): void => {
    const { res, res: { socket }, policy: { clientTimeout } } = this.errand
    this.#patient()
    this.#awaited = socket
    // Of several on one connection, each has its turn to be waited for.
    if (socket === null) res.off('socket', this.#await).once('socket', this.#await)
    else {
      this.#limit = socket.timeout ?? 0
      socket.once('timeout', this.#stalled).setTimeout(clientTimeout)
    }
  }

  #patient(): void {
    this.#awaited?.off('timeout', this.#stalled).setTimeout(this.#limit)
    this.#awaited = null
  }

  /** Has nothing more to do with the upstream; false if it had not before either. */
  protected over(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#patient()
    this.errand.res.off('drain', this.#drained)
    this.errand.body?.destroy()
    return true
  }
}

/** The client may read the header while the body is yet to come; what is there already goes with it. */
function flushSoon(res: ServerResponse): void {
  const { socket } = res
  // Not the response: its end would overtake the chunks that it holds.
  socket?.cork()
  res.flushHeaders()
  process.nextTick(() => { socket?.uncork() })
}

/**
 * Ends a reply that can't be completed so that nobody takes it for whole: one without a length or chunks would be by an orderly
 * end of its connection.
 */
function cutOff(res: ServerResponse): void {
  const { socket } = res
  if (socket !== null && !res.chunkedEncoding && !('encrypted' in socket) && socket.remoteAddress !== undefined) {
    socket.resetAndDestroy()
  } else res.destroy()
}
