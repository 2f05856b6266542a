import { Readable } from 'node:stream'
import type { SolidBody, StreamBody } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Outcome } from './wire.ts'

/** An attempt made to a scripted upstream. */
export interface Attempt {
  /** The origin of the upstream. */
  readonly origin: string
  /** The method, in upper case. */
  readonly method: string
  /** The path and the query. */
  readonly path: string
  /** The header fields, names in lower case. */
  readonly headers: HeaderFields
  /** The part of the body read so far; empty if there is none, or no connection was made. */
  readonly body: Buffer
  /** When it was made, in ms on the world's clock. */
  readonly at: number
  /** Its outcome so far; `aborted` if the client ended it. */
  readonly outcome: Outcome
  /** When it ended, in ms on the world's clock; undefined while it is open. */
  readonly endedAt: number | undefined
}

/** A request as undici passes it to a dispatcher. */
export interface Dispatched {
  readonly path: string
  readonly method: string
  readonly headers?: HeaderFields
  readonly body?: SolidBody | StreamBody | null
}

/** The upstream's own record of an attempt. */
export class Received implements Attempt {
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly headers: HeaderFields
  readonly at: number
  body: Buffer = Buffer.alloc(0)
  outcome: Outcome = 'open'
  endedAt: number | undefined = undefined
  readonly #source: SolidBody | StreamBody | null | undefined

  constructor(origin: string, { method, path, headers = {}, body }: Dispatched, at: number) {
    this.origin = origin
    this.method = method
    this.path = path
    this.headers = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name.toLowerCase(), value]))
    this.at = at
    this.#source = body
  }

  /** Reads the request's body. */
  async read(): Promise<void> {
    const source = this.#source
    if (source === undefined || source === null) return
    if (typeof source === 'string' || source instanceof Uint8Array) {
      this.body = Buffer.from(source as Uint8Array)
      return
    }
    for await (const chunk of source as AsyncIterable<Uint8Array | string>) {
      if (this.outcome !== 'open') return
      this.body = Buffer.concat([this.body, Buffer.from(chunk as Uint8Array)])
    }
  }

  /** Records the end of the attempt; the rest of the body is dropped. */
  ended(outcome: Outcome, at: number): void {
    this.outcome = outcome
    this.endedAt = at
    if (this.#source instanceof Readable) this.#source.destroy()
  }
}
