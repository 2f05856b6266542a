import { pipeline, Readable, Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import { ResponseError } from '../outcome/errors.ts'
import { Reply, type ReplyHeaders } from '../outcome/reply.ts'
import type { Verdict } from '../outcome/verdict.ts'
import { codingsOf, decodeError, decoders, maxOnWire, type Codings } from './decode.ts'
import { Exchange } from './exchange.ts'

/**
 * Settles at the response's headers with a reply whose body is a stream. Back-pressure reaches the socket; destroying the
 * stream frees the connection.
 */
export class StreamedExchange extends Exchange {
  /** The body as it comes off the wire. */
  #source: Readable | undefined
  /** The body as the reader gets it: `#source` itself, if there is nothing to decode. */
  #body: Readable | undefined
  #size = 0
  /** What the response proves; a body that is too long does not change that. */
  #verdict: Verdict = 'healthy'
  #maxOnWire = 0

  protected begin(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    const source = new Readable({
      read: () => {
        if (this.call.phase === 'caller') this.call.phase = 'body'
        controller.resume()
      },
      destroy: (error, done) => {
        // Destroyed by its reader before the end: the rest is not wanted.
        if (!this.settled && this.controller !== undefined) this.#abandon(error)
        done(error)
      },
    })
    const encoding = this.call.settings.decode ? headers['content-encoding'] : undefined
    this.#maxOnWire = maxOnWire(encoding, this.call.settings.maxBodySize)
    const codings = codingsOf(encoding) ?? []
    const body = codings.length === 0 || this.call.method === 'HEAD' ? source : this.#decoded(source, codings)
    // It may fail before the caller can listen, or be left unread until its deadline: that must not crash the process.
    body.on('error', () => undefined)
    this.#source = source
    this.#body = body
    const reply = new Reply(status, headers, body)
    this.replied(reply)
    this.#verdict = reply.verdict
    this.deliver()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#maxOnWire) this.tooLarge(this.#verdict)
    else if (this.#source?.push(chunk) === false) {
      this.call.phase = 'caller'
      controller.pause()
    }
  }

  onResponseEnd(): void {
    if (this.settled || this.cutShort()) return
    // From now on the connection may serve another request.
    this.controller = undefined
    this.#source?.push(null)
    if (this.#body === this.#source) this.#complete()
  }

  protected failed(error: unknown): void {
    // A stream can only fail with an Error; a reason of another type becomes its cause.
    this.#body?.destroy(error instanceof Error ? error : new Error('The call was aborted', { cause: error }))
  }

  #complete(): void {
    this.settle()
    this.ended()
  }

  #abandon(error: Error | null): void {
    // Abandoned by the reader: no evidence about the endpoint, so it ends without an error.
    this.#complete()
    this.controller?.abort(error ?? new Error('The body was destroyed by its reader'))
  }

  /** Decodes the body. It ends when all of it is decoded: until then it may prove to be damaged or too large. */
  #decoded(source: Readable, codings: Codings): Readable {
    const { trace, settings: { maxBodySize } } = this.call
    let size = 0
    const sizeCheck = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        size += chunk.length
        if (size <= maxBodySize) done(null, chunk)
        else this.stop(new ResponseError(trace, `body longer than ${maxBodySize} bytes when decoded`, this.#verdict))
      },
    })
    const damaged = (error: Error): void => {
      // Decoders also fail when the reader destroys the stream; that is no damage.
      if (!sizeCheck.destroyed) this.stop(decodeError(error, trace, 'compressed', maxBodySize))
    }
    const steps = decoders(codings).map(decoder => decoder.on('error', damaged))
    // A failure anywhere in the chain destroys all of it; a reader who destroys it only now is no evidence either.
    pipeline([source, ...steps, sizeCheck], () => { if (!this.settled) this.#complete() })
    return sizeCheck
  }
}
