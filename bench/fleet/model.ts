import { Capacity } from '../../demo/capacity.ts'
import { brownOut } from '../../demo/phases.ts'
import type { DispatcherLike } from '../../src/index.ts'
import type { Clock, Random } from '../../src/clock.ts'
import type { Dispatcher } from 'undici'

/** What an endpoint does with the requests that reach it. */
export interface Weather {
  /**
   * `brown-out`: a tenth of its workers are left. `502`, `reset` and `refused`: it serves nobody. `hang`: it takes
   * requests and answers none.
   */
  readonly kind: 'healthy' | 'brown-out' | '502' | 'reset' | 'refused' | 'hang'
  /** The share of its answers that are 502, 0–1. */
  readonly failing?: number
  /** With more than this in its queue it answers 503 at once, with a Retry-After of 1 s. */
  readonly throttleAt?: number
}

/** How an endpoint is made. */
export interface EndpointSetup {
  readonly workers: number
  /** ms a worker takes for a request: exactly, or on average of an exponential distribution. */
  readonly serviceTime: number
  readonly varies: boolean
}

/** Half a round trip through the network, in ms. */
const WAY = 0.5
const BODY = Buffer.from('{"status":"ok"}')
const JSON_HEADERS = { 'content-type': 'application/json' }

/** The work of an abandoned request is done all the same, so an abort changes nothing here. */
const CONTROLLER: Dispatcher.DispatchController = {
  aborted: false, paused: false, reason: null, rawHeaders: [], rawTrailers: [],
  abort: () => undefined, pause: () => undefined, resume: () => undefined,
}

/**
 * One endpoint of a model upstream in virtual time: workers behind a first-in-first-out queue without bound, as the
 * demo's, and a network that takes a moment.
 */
export class ModelEndpoint {
  readonly #clock: Clock
  readonly #random: Random
  readonly #workers: number
  readonly #capacity: Capacity
  #weather: Weather = { kind: 'healthy' }

  constructor({ workers, serviceTime, varies }: EndpointSetup, clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
    this.#workers = workers
    const time = varies ? () => -Math.log(1 - random()) * serviceTime : serviceTime
    this.#capacity = new Capacity(workers, time, clock)
  }

  /** Requests that wait for a worker. */
  get queued(): number {
    return this.#capacity.queued
  }

  /** Changes the weather. An outage takes with it what is in hand and in the queue. */
  set weather(weather: Weather) {
    const { kind } = this.#weather = weather
    this.#capacity.workers = kind === 'hang' ? 0 : kind === 'brown-out' ? brownOut(this.#workers) : this.#workers
    if (kind === '502' || kind === 'reset' || kind === 'refused') this.#capacity.lose()
  }

  /** A client's connections to it; `reached` hears of each request as it comes in. */
  connect(reached: () => void): DispatcherLike {
    return {
      dispatch: (_options, handler: Dispatcher.DispatchHandler) => {
        this.#clock.after(WAY, () => {
          this.#take(handler)
          reached()
        })
        return true
      },
      close: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
    }
  }

  #take(handler: Dispatcher.DispatchHandler): void {
    const { kind, failing = 0, throttleAt = Infinity } = this.#weather
    const answer = (how: Answer): void => { this.#clock.after(WAY, () => { how(handler) }) }
    if (kind === 'refused') {
      answer(broken('ECONNREFUSED'))
      return
    }
    handler.onRequestStart?.(CONTROLLER, {})
    if (kind === '502') answer(status(502))
    else if (kind === 'reset') answer(broken('ECONNRESET'))
    else if (this.#capacity.queued >= throttleAt) answer(status(503, { 'retry-after': '1' }))
    else {
      this.#capacity.add(outcome => {
        if (outcome === 'lost') answer(this.#weather.kind === '502' ? status(502) : broken('ECONNRESET'))
        else answer(status(failing > 0 && this.#random() < failing ? 502 : 200))
      })
    }
  }
}

type Answer = (handler: Dispatcher.DispatchHandler) => void

const status = (code: number, headers = {}): Answer => handler => {
  handler.onResponseStart?.(CONTROLLER, code, { ...JSON_HEADERS, ...headers }, '')
  handler.onResponseData?.(CONTROLLER, BODY)
  handler.onResponseEnd?.(CONTROLLER, {})
}

const broken = (code: 'ECONNREFUSED' | 'ECONNRESET'): Answer => handler => {
  handler.onResponseError?.(CONTROLLER, Object.assign(new Error(code), { code }))
}
