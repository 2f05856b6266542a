import { Readable } from 'node:stream'
import type { SolidBody, StreamBody } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import type { Outcome } from './wire.ts'

/** One attempt that has reached a scripted upstream, or tried to. */
export interface Attempt {
  /** The endpoint it was made to. */
  readonly origin: string
  /** The method, in upper case. */
  readonly method: string
  /** The path and the query. */
  readonly path: string
  /** The header fields, names in lower case. */
  readonly headers: HeaderFields
  /** What has been read of the body; empty if there is none, or no connection was made. */
  readonly body: Buffer
  /** When it was made, in ms since the world's beginning. */
  readonly at: number
  /** How it went: `aborted` is what the client ended. */
  readonly outcome: Outcome
  /** When it ended, in ms since the world's beginning; undefined while it is open. */
  readonly endedAt: number | undefined
}

/** What a dispatcher of undici's is asked to send. */
export interface Dispatched {
  readonly path: string
  readonly method: string
  readonly headers?: HeaderFields
  readonly body?: SolidBody | StreamBody | null
}

/** An attempt as the upstream keeps it. */
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

  /** Takes in the request's body as it comes. */
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

  /** It is over: nobody wants the rest of its body. */
  ended(outcome: Outcome, at: number): void {
    this.outcome = outcome
    this.endedAt = at
    if (this.#source instanceof Readable) this.#source.destroy()
  }
}
