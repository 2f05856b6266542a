import type { Dispatcher } from 'undici'
import type { Call } from '../call.ts'
import { ResponseError } from '../errors.ts'
import { Reply, type ReplyHeaders } from '../reply.ts'
import { codingsOf, decode } from './decode.ts'
import { toUpstreamError } from './failure.ts'

/** Interim (1xx) responses that may come before the real one. */
const INTERIM = 32

/** Tells whether the connection that failed with this error had been open before `since`. */
export type WasOpenBefore = (error: unknown, since: number) => boolean

/**
 * One request and its response: undici's handler, and the settling of a promise. This much is common to both kinds; a
 * {@link BufferedExchange} collects the body, a streamed one hands it on.
 *
 * It holds the listener for the call's cancellation, so that ending a call needs no AbortSignal: `controller.abort()`
 * frees the connection.
 */
export abstract class Exchange implements Dispatcher.DispatchHandler {
  protected readonly call: Call
  protected controller: Dispatcher.DispatchController | undefined
  protected answered = false
  protected settled = false
  readonly #wasOpenBefore: WasOpenBefore
  readonly #startedAt: number
  #interim = 0
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void

  constructor(
    call: Call, startedAt: number, wasOpenBefore: WasOpenBefore,
    resolve: (reply: Reply) => void, reject: (error: unknown) => void,
  ) {
    this.call = call
    this.#startedAt = startedAt
    this.#wasOpenBefore = wasOpenBefore
    this.resolve = resolve
    this.reject = reject
    call.phase = 'connect'
    call.whenCancelled(reason => { this.stop(reason) })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.settled) {
      // Cancelled while it waited for a connection: this one may take the next request.
      controller.abort(new Error('cancelled before it was sent'))
      return
    }
    this.call.phase = 'headers'
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    if (status < 200) {
      if (++this.#interim > INTERIM) this.stop(new ResponseError(this.call.trace, 'too many interim responses', 'gateway'))
      return
    }
    this.answered = true
    this.call.phase = 'body'
    this.begin(controller, status, headers)
  }

  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  abstract onResponseEnd(): void
  protected abstract begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void
  /** Ends it with an error: ours, or the caller's own reason. */
  protected abstract fail(error: unknown): void

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.settled) return
    const started = this.controller !== undefined
    const reused = started && !this.answered && this.#wasOpenBefore(error, this.#startedAt)
    this.settle()
    this.fail(toUpstreamError(error, this.call, { started, answered: this.answered, reused }))
  }

  /** Ends it from our side, and the connection with it. */
  stop(reason: unknown): void {
    if (this.settled) return
    this.settle()
    this.fail(reason)
    this.controller?.abort(reason instanceof Error ? reason : new Error('cancelled'))
  }

  protected settle(): void {
    this.settled = true
    this.call.whenCancelled(undefined)
  }

  protected tooLarge(): void {
    this.stop(new ResponseError(this.call.trace, `body longer than ${this.call.maxBodySize} bytes`, 'healthy'))
  }
}

/** Collects the body and settles with a reply that is all there. */
export class BufferedExchange extends Exchange {
  #status = 0
  #headers: ReplyHeaders = {}
  #first: Buffer | undefined
  #rest: Buffer[] | undefined
  #size = 0

  protected begin(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#status = status
    this.#headers = headers
    if (Number(headers['content-length']) > this.call.maxBodySize && this.call.method !== 'HEAD') this.tooLarge()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.call.maxBodySize) this.tooLarge()
    else if (this.#first === undefined) this.#first = chunk
    else (this.#rest ??= [this.#first]).push(chunk)
  }

  onResponseEnd(): void {
    if (this.settled) return
    this.settle()
    const body = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.#size)
    const encoding = this.#headers['content-encoding']
    if (encoding === undefined || body === undefined) this.resolve(new Reply(this.#status, this.#headers, body))
    else this.#decode(body, encoding)
  }

  #decode(body: Buffer, encoding: string | string[]): void {
    this.call.whenCancelled(this.reject)
    decode(body, codingsOf(encoding) ?? [], this.call.maxBodySize).then(
      decoded => { this.resolve(new Reply(this.#status, this.#headers, decoded)) },
      (error: unknown) => {
        const large = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE'
        this.reject(large
          ? new ResponseError(this.call.trace, `body longer than ${this.call.maxBodySize} bytes when decoded`, 'healthy')
          : new ResponseError(this.call.trace, `damaged or truncated ${String(encoding)} body`, 'gateway', error))
      },
    )
  }

  protected fail(error: unknown): void {
    this.reject(error)
  }
}
