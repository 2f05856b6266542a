import type { Dispatcher } from 'undici'
import { Reply, type ReplyHeaders } from '../outcome/reply.ts'
import { Chunks } from './chunks.ts'
import { codingsOf, decode, decodeError, maxOnWire } from './decode.ts'
import { Exchange } from './exchange.ts'

const NO_HEADERS: ReplyHeaders = {}

/** Collects the body and settles with a buffered reply. */
export class BufferedExchange extends Exchange {
  #status = 0
  #headers: ReplyHeaders = NO_HEADERS
  #encoding: string | string[] | undefined
  #first: Buffer | undefined
  /** All chunks, if there is more than one. */
  #chunks: Chunks | undefined
  #size = 0
  #maxOnWire = 0

  protected begin(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#status = status
    this.#headers = headers
    if (this.call.settings.decode) this.#encoding = headers['content-encoding']
    this.#maxOnWire = maxOnWire(this.#encoding, this.call.settings.maxBodySize)
    if (Number(headers['content-length']) > this.#maxOnWire && this.call.method !== 'HEAD') this.tooLarge()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#maxOnWire) this.tooLarge()
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
      (error: unknown) => { once(() => { this.ended(decodeError(error, trace, String(encoding), maxBodySize)) }) },
    )
  }

  /** Drops the chunks; no caller has seen any of them. */
  protected failed(): void {
    this.#first = this.#chunks = undefined
  }
}
