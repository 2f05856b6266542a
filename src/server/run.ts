import type { Clock, Timer } from '../clock.ts'
import type { Connections } from './connections.ts'
import { markDraining } from './draining.ts'
import type { ShutdownOptions, ShutdownSettings } from './options.ts'
import type { ShutdownReport, ShutdownStep } from './steps.ts'

/** What to close when no request is left: a client, or anything else with the same two methods. */
export interface Closable {
  /** Finishes what is in flight, then closes. */
  close(): Promise<void>
  /** Closes now. */
  destroy(): Promise<void>
}

/** Whether a value has the methods of a {@link Closable}. */
export const isClosable = (value: unknown): boolean => {
  const { close, destroy } = (value ?? {}) as Partial<Closable>
  return typeof close === 'function' && typeof destroy === 'function'
}

/** The share of the timeout reserved for `cleanup`, and the maximum in ms. */
const CLEANUP_SHARE = 0.1
const MAX_CLEANUP = 2_000

/** What a shutdown acts on. */
export interface Targets {
  readonly clients: readonly Closable[]
  readonly connections: Connections
}

type Hooks = Pick<ShutdownOptions, 'cleanup' | 'onStep'>

/** One shutdown: its steps in order, each with a time limit. */
export class Run {
  /** Never rejects. */
  readonly finished: Promise<ShutdownReport>
  /** When it began, on the monotonic clock; undefined before. */
  startedAt: number | undefined
  readonly #clients: readonly Closable[]
  readonly #connections: Connections
  readonly #settings: ShutdownSettings
  readonly #hooks: Hooks
  readonly #clock: Clock
  readonly #cutting: Promise<void>
  readonly #timers: Timer[] = []
  readonly #errors: unknown[] = []
  #isCut = false
  #resolveCutting!: () => void
  #resolveFinished!: (report: ShutdownReport) => void
  #reason = ''

  constructor({ clients, connections }: Targets, settings: ShutdownSettings, hooks: Hooks, clock: Clock) {
    this.finished = new Promise(resolve => { this.#resolveFinished = resolve })
    this.#cutting = new Promise(resolve => { this.#resolveCutting = resolve })
    this.#clients = clients
    this.#connections = connections
    this.#settings = settings
    this.#hooks = hooks
    this.#clock = clock
  }

  /** Starts the shutdown; to be called once. */
  start(reason: string, grace: number): void {
    this.#reason = reason
    this.startedAt = this.#clock.now()
    const { timeout } = this.#settings
    this.#after(timeout - Math.min(MAX_CLEANUP, timeout * CLEANUP_SHARE), () => this.cut())
    const over = new Promise<void>(resolve => this.#after(timeout, resolve))
    void this.#perform(grace, over)
  }

  /** Ends all remaining steps now, except the cleanup. */
  cut(): void {
    this.#isCut = true
    this.#resolveCutting()
  }

  async #perform(grace: number, over: Promise<void>): Promise<void> {
    await this.#drain(grace)
    if (!this.#isCut) await this.#stop()
    if (!this.#isCut) await this.#close()
    const cut = this.#isCut ? this.#end() : 0
    const { cleanup } = this.#hooks
    if (cleanup !== undefined) {
      this.#step('cleanup')
      await Promise.race([this.#try(async () => { await cleanup() }), over.then(() => this.#errors.push(tooLong()))])
    }
    this.#step('done')
    for (const timer of this.#timers) timer.cancel()
    const { answered, ended, lost } = this.#connections
    const errors = this.#errors
    const clean = !this.#isCut && lost === 0 && errors.length === 0
    this.#resolveFinished({ reason: this.#reason, clean, duration: this.#elapsed, answered, cut: cut + lost, ended, errors })
  }

  #drain(grace: number): Promise<void> {
    for (const client of this.#clients) markDraining(client)
    this.#connections.drain()
    this.#step('draining')
    return this.#unlessCut(new Promise<void>(resolve => this.#after(grace, resolve)))
  }

  #stop(): Promise<void> {
    this.#connections.stop()
    this.#step('stopping')
    this.#after(this.#settings.linger, () => this.#connections.endIdle())
    return this.#unlessCut(this.#connections.closed())
  }

  #close(): Promise<void> {
    this.#step('closing')
    return this.#unlessCut(Promise.all(this.#clients.map(client => this.#try(() => client.close()))))
  }

  /** Closes everything now. @returns how many requests were cut off. */
  #end(): number {
    const lost = this.#connections.requests
    this.#step('cut')
    this.#connections.stop()
    this.#connections.destroy()
    // Not awaited: the time is up, and no request is left.
    for (const client of this.#clients) void this.#try(() => client.destroy())
    return lost
  }

  get #elapsed(): number {
    return Math.round(this.#clock.now() - (this.startedAt ?? this.#clock.now()))
  }

  /** Reports a step. An error thrown by the listener must not stop the shutdown. */
  #step(step: ShutdownStep): void {
    const { requests, size } = this.#connections
    const event = { step, reason: this.#reason, elapsed: this.#elapsed, requests, connections: size }
    void this.#try(async () => { await this.#hooks.onStep?.(event) })
  }

  async #try(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#errors.push(error)
    }
  }

  async #unlessCut(work: Promise<unknown>): Promise<void> {
    await Promise.race([work, this.#cutting])
  }

  #after(ms: number, run: () => void): void {
    this.#timers.push(this.#clock.after(ms, run))
  }
}

const tooLong = (): Error => new Error('cleanup did not finish before the shutdown timeout')
