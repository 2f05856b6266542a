import type { Dispatcher } from 'undici'
import type { Timer } from '../clock.ts'
import { ResponseError } from '../outcome/errors.ts'
import { EXCERPT, Reply, type ReplyHeaders } from '../outcome/reply.ts'
import { Chunks } from './chunks.ts'
import { codingsOf, decode, decodeError, maxOnWire } from './decode.ts'
import { Exchange } from './exchange.ts'

const NO_HEADERS: ReplyHeaders = {}
/** How long to wait for the body of a response that another attempt may replace, in ms. */
const MAX_WAIT = 500

/** Collects the body and settles with a buffered reply. */
export class BufferedExchange extends Exchange {
  #status = 0
  #headers: ReplyHeaders = NO_HEADERS
  #encoding: string | string[] | undefined
  #first: Buffer | undefined
  /** All chunks, if there is more than one. */
  #chunks: Chunks | undefined
  #size = 0
  /** Limits the wait for the rest of a response that may be replaced. */
  #timer: Timer | undefined
  #maxOnWire = 0

  protected begin(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#status = status
    this.#headers = headers
    if (this.call.settings.decode) this.#encoding = headers['content-encoding']
    this.#maxOnWire = maxOnWire(this.#encoding, this.call.settings.maxBodySize)
    if (Number(headers['content-length']) > this.#maxOnWire && this.call.method !== 'HEAD') this.#tooLarge()
    else if (this.#isReplaceable()) this.#limitWait()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#maxOnWire) this.#tooLarge()
    else if (this.#first === undefined) this.#first = chunk
    else this.#chunksAfter(this.#first).add(chunk)
  }

  #chunksAfter(first: Buffer): Chunks {
    if (this.#chunks === undefined) (this.#chunks = new Chunks()).add(first)
    return this.#chunks
  }

  onResponseEnd(): void {
    if (this.settled || this.cutShort()) return
    this.settle()
    const body = this.#chunks?.concat() ?? this.#first
    const encoding = this.#encoding
    if (encoding === undefined || body === undefined) this.#complete(body)
    else this.#decode(body, encoding)
  }

  #complete(body: Buffer | undefined): void {
    this.replied(new Reply(this.#status, this.#headers, body))
    this.ended()
  }

  #decode(body: Buffer, encoding: string | string[]): void {
    const { trace, settings: { maxBodySize } } = this.call
    let isDone = false
    const once = (finish: () => void): void => {
      if (isDone) return
      isDone = true
      this.call.waitFor(undefined)
      finish()
    }
    this.call.waitFor({ stop: reason => { once(() => { this.ended(reason) }) } })
    decode(body, codingsOf(encoding) ?? [], maxBodySize).then(
      decoded => { once(() => { this.#complete(decoded) }) },
      (thrown: unknown) => {
        const error = decodeError(thrown, trace, String(encoding), maxBodySize)
        once(() => {
          if (this.#status >= 400 && error.verdict === 'healthy') this.#cutOff(error.reason)
          else this.ended(error)
        })
      },
    )
  }

  #tooLarge(): void {
    if (this.#status >= 400) this.#cutOff(`body longer than ${this.call.settings.maxBodySize} bytes`)
    else this.tooLarge()
  }

  /** Whether another attempt may replace this response because of its status. */
  #isReplaceable(): boolean {
    const { retry } = this.call.settings
    return retry !== false && retry.statuses.includes(this.#status) && this.mayBeRetried
  }

  /** A retry need not wait for the end of a body that it replaces, which may never come. */
  #limitWait(): void {
    const { clock } = this
    const since = clock.now()
    this.#timer = clock.after(MAX_WAIT, () => {
      // While this process stood still it may have arrived.
      if (clock.stalledAt >= since) this.#limitWait()
      else this.#cutOff(`body not complete within ${MAX_WAIT} ms`)
    })
  }

  /**
   * Ends the body of an error early. The status is what counts: for the layers this is a reply like any other, and a caller who
   * would get the whole body gets an error in its place.
   */
  #cutOff(reason: string): void {
    const isOpen = !this.settled
    if (isOpen) this.settle()
    const read = this.#encoding === undefined ? this.#chunks?.concat() ?? this.#first : undefined
    const reply = new Reply(this.#status, this.#headers, read && Buffer.from(read.subarray(0, EXCERPT)))
    this.replied(reply)
    reply.flaw = new ResponseError(this.call.trace, `status ${this.#status}, ${reason}`, reply.verdict)
    this.ended()
    this.failed()
    if (isOpen) this.controller?.abort(new Error('The rest of the response is not needed'))
  }

  protected override settle(): void {
    this.#timer?.cancel()
    super.settle()
  }

  /** Drops the chunks; no caller has seen any of them. */
  protected failed(): void {
    this.#first = this.#chunks = undefined
  }
}
