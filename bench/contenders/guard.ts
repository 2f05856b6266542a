import type { Dispatcher } from 'undici'
import type { Exchange } from './undici.ts'

/** How a peer is set up where its defaults will not do. */
export interface GuardOptions {
  /** Longest time of one attempt, in ms. */
  readonly timeout: number
  readonly retries: number
  /** Calls at once, and calls that wait, for one that has a bulkhead. */
  readonly limit?: number
  readonly queue?: number
}

/** An exchange with a peer's protection around it. */
export interface Guarded {
  readonly exchange: Exchange
  close(): void
}

/** What a caller would not call an answer. */
export function answered(reply: Dispatcher.ResponseData): Dispatcher.ResponseData {
  if (reply.statusCode < 500) return reply
  reply.body.on('error', () => undefined).destroy()
  throw new Error(`status ${reply.statusCode}`)
}
