import { pipeline, Readable, Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import { ResponseError, UpstreamError } from '../errors.ts'
import { Reply, type ReplyHeaders } from '../reply.ts'
import { codingsOf, decoders, type Codings } from './decode.ts'
import { Exchange } from './exchange.ts'

/**
 * Settles at the response's headers with a reply whose body is a stream. Back-pressure goes through to the socket; a
 * reader who gives up frees the connection.
 */
export class StreamedExchange extends Exchange {
  #stream: Readable | undefined
  #size = 0

  protected begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#stream = new Readable({
      read: () => { controller.resume() },
      destroy: (error, done) => {
        // Destroyed by its reader before the end: nobody wants the rest.
        if (!this.settled) this.#abandon(error)
        done(error)
      },
    })
    const codings = codingsOf(headers['content-encoding']) ?? []
    const body = codings.length === 0 || this.call.method === 'HEAD' ? this.#stream : this.#decoded(this.#stream, codings)
    this.replied(new Reply(status, headers, body))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.call.maxBodySize) this.tooLarge()
    else if (this.#stream?.push(chunk) === false) controller.pause()
  }

  onResponseEnd(): void {
    if (this.settled || this.cutShort()) return
    this.settle()
    this.#stream?.push(null)
    this.ended()
  }

  protected failed(error: unknown): void {
    // A stream can only fail with an Error; a reason of another kind travels as its cause.
    this.#stream?.destroy(error instanceof Error ? error : new Error('The call was aborted', { cause: error }))
  }

  #abandon(error: Error | null): void {
    this.settle()
    // Given up by the reader: no evidence about the endpoint, so it ends without an error.
    this.ended()
    this.controller?.abort(error ?? new Error('the reader gave up'))
  }

  #decoded(source: Readable, codings: Codings): Readable {
    let size = 0
    const { trace, maxBodySize } = this.call
    const gauge = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        size += chunk.length
        if (size <= maxBodySize) done(null, chunk)
        else done(new ResponseError(trace, `body longer than ${maxBodySize} bytes when decoded`, 'healthy'))
      },
      destroy: (error, done) => {
        const ours = error === null || error instanceof UpstreamError
        done(ours ? error : new ResponseError(trace, 'damaged or truncated compressed body', 'gateway', error))
      },
    })
    // What goes wrong anywhere in the chain destroys its last stream, whose reader then hears of it.
    pipeline([source, ...decoders(codings), gauge], () => undefined)
    return gauge
  }
}
