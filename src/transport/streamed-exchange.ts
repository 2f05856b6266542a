import { pipeline, Readable, Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import { ResponseError } from '../outcome/errors.ts'
import { Reply, type ReplyHeaders } from '../outcome/reply.ts'
import { codingsOf, decoders, mostOnWire, type Codings } from './decode.ts'
import { Exchange } from './exchange.ts'

/**
 * Settles at the response's headers with a reply whose body is a stream. Back-pressure goes through to the socket; a
 * reader who gives up frees the connection.
 */
export class StreamedExchange extends Exchange {
  /** The body as it comes off the wire, and as the reader gets it: the same, if there is nothing to decode. */
  #source: Readable | undefined
  #body: Readable | undefined
  #size = 0
  #most = 0

  protected begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    const source = new Readable({
      read: () => {
        if (this.call.phase === 'caller') this.call.phase = 'body'
        controller.resume()
      },
      destroy: (error, done) => {
        // Destroyed by its reader before the end: nobody wants the rest.
        if (!this.settled && this.controller !== undefined) this.#abandon(error)
        done(error)
      },
    })
    const encoding = this.call.settings.decode ? headers['content-encoding'] : undefined
    this.#most = mostOnWire(encoding, this.call.settings.maxBodySize)
    const codings = codingsOf(encoding) ?? []
    const body = codings.length === 0 || this.call.method === 'HEAD' ? source : this.#decoded(source, codings)
    // It may fail before anybody can listen, or be left unread until its deadline: that must not end the process.
    body.on('error', () => undefined)
    this.#source = source
    this.#body = body
    this.replied(new Reply(status, headers, body))
    this.deliver()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#most) this.tooLarge()
    else if (this.#source?.push(chunk) === false) {
      this.call.phase = 'caller'
      controller.pause()
    }
  }

  onResponseEnd(): void {
    if (this.settled || this.cutShort()) return
    // The connection is somebody else's from now on.
    this.controller = undefined
    this.#source?.push(null)
    if (this.#body === this.#source) this.#complete()
  }

  protected failed(error: unknown): void {
    // A stream can only fail with an Error; a reason of another kind travels as its cause.
    this.#body?.destroy(error instanceof Error ? error : new Error('The call was aborted', { cause: error }))
  }

  #complete(): void {
    this.settle()
    this.ended()
  }

  #abandon(error: Error | null): void {
    // Given up by the reader: no evidence about the endpoint, so it ends without an error.
    this.#complete()
    this.controller?.abort(error ?? new Error('the reader gave up'))
  }

  /** The body ends when all of it is decoded: until then it may turn out to be damaged or too large. */
  #decoded(source: Readable, codings: Codings): Readable {
    const { trace, settings: { maxBodySize } } = this.call
    let size = 0
    const gauge = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        size += chunk.length
        if (size <= maxBodySize) done(null, chunk)
        else this.stop(new ResponseError(trace, `body longer than ${maxBodySize} bytes when decoded`, 'healthy'))
      },
    })
    const damaged = (error: Error): void => {
      // Unless that is only how it hears of a reader who has given up.
      if (!gauge.destroyed) this.stop(new ResponseError(trace, 'damaged or truncated compressed body', 'gateway', error))
    }
    const steps = decoders(codings).map(decoder => decoder.on('error', damaged))
    // What goes wrong anywhere in the chain destroys all of it; a reader who gives up only now proves nothing either.
    pipeline([source, ...steps, gauge], () => { if (!this.settled) this.#complete() })
    return gauge
  }
}
