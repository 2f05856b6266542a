import type { Dispatcher } from 'undici'
import type { DispatcherLike } from '../../src/index.ts'

/** What the transport below says to a request. */
export interface Answer {
  readonly status: number
  readonly body?: Buffer
}

const HEADERS = { 'content-type': 'application/json' }
const WELL: Answer = { status: 200, body: Buffer.from('{"id":7}') }
const CONTROLLER: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  rawHeaders: [],
  rawTrailers: [],
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
}

/**
 * A dispatcher without a network: all requests made in one turn of the event loop are answered in the next, as if their
 * replies had come in together. It allocates nothing per request.
 */
export class NoopTransport implements DispatcherLike {
  #waiting: Dispatcher.DispatchHandler[] = []
  #answering: Dispatcher.DispatchHandler[] = []
  readonly #answer: Answer
  readonly #every: number
  #answered = 0
  /** Requests seen. */
  requests = 0

  /** @param every - of so many answers one is well, whatever the others are. */
  constructor(answer: Answer = WELL, every = Infinity) {
    this.#answer = answer
    this.#every = every
  }

  dispatch(_options: unknown, handler: Dispatcher.DispatchHandler): boolean {
    this.requests++
    if (this.#waiting.push(handler) === 1) setImmediate(this.#turn)
    return true
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  destroy(): Promise<void> {
    return Promise.resolve()
  }

  readonly #turn = (): void => {
    const now = this.#waiting
    this.#waiting = this.#answering
    this.#answering = now
    for (const handler of now) {
      const { status, body } = this.#answered++ % this.#every === 0 ? WELL : this.#answer
      handler.onRequestStart?.(CONTROLLER, {})
      handler.onResponseStart?.(CONTROLLER, status, HEADERS, 'OK')
      if (body !== undefined) handler.onResponseData?.(CONTROLLER, body)
      handler.onResponseEnd?.(CONTROLLER, {})
    }
    now.length = 0
  }
}

/** A transport that takes requests and never answers. */
export const silentTransport: DispatcherLike = {
  dispatch: () => true,
  close: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
}
