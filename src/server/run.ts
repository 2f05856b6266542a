import type { Clock, Timer } from '../clock.ts'
import type { Connections } from './connections.ts'
import { markDraining } from './draining.ts'
import type { ShutdownOptions, ShutdownSettings } from './options.ts'
import type { ShutdownReport, ShutdownStep } from './steps.ts'

/** What is closed when no request is left: a breakwater client, or anything else that closes like one. */
export interface Closable {
  /** Finishes what is in flight, then closes. */
  close(): Promise<void>
  /** Closes now. */
  destroy(): Promise<void>
}

/** Whether something can be closed, and cut short. */
export const isClosable = (given: unknown): boolean => {
  const { close, destroy } = (given ?? {}) as Partial<Closable>
  return typeof close === 'function' && typeof destroy === 'function'
}

const SHARE_FOR_CLEANUP = 0.1
const MOST_FOR_CLEANUP = 2_000

/** One shutdown: its steps in their order, each of them bounded. */
export class Run {
  /** Never rejects. */
  readonly finished: Promise<ShutdownReport>
  /** When it began, on the monotonic clock; undefined before. */
  startedAt: number | undefined
  readonly #clients: readonly Closable[]
  readonly #connections: Connections
  readonly #settings: ShutdownSettings
  readonly #own: Pick<ShutdownOptions, 'cleanup' | 'onStep'>
  readonly #clock: Clock
  readonly #cutting: Promise<void>
  readonly #timers: Timer[] = []
  readonly #errors: unknown[] = []
  #isCut = false
  #tellCut!: () => void
  #tellFinished!: (report: ShutdownReport) => void
  #reason = ''

  constructor(
    clients: readonly Closable[], connections: Connections, settings: ShutdownSettings,
    own: Pick<ShutdownOptions, 'cleanup' | 'onStep'>, clock: Clock,
  ) {
    this.finished = new Promise(resolve => { this.#tellFinished = resolve })
    this.#cutting = new Promise(resolve => { this.#tellCut = resolve })
    this.#clients = clients
    this.#connections = connections
    this.#settings = settings
    this.#own = own
    this.#clock = clock
  }

  /** Begins; once. */
  start(reason: string, grace: number): void {
    this.#reason = reason
    this.startedAt = this.#clock.now()
    const { timeout } = this.#settings
    this.#after(timeout - Math.min(MOST_FOR_CLEANUP, timeout * SHARE_FOR_CLEANUP), () => this.cut())
    const over = new Promise<void>(resolve => this.#after(timeout, resolve))
    void this.#perform(grace, over)
  }

  /** Ends what is left now, but for the cleanup. */
  cut(): void {
    this.#isCut = true
    this.#tellCut()
  }

  async #perform(grace: number, over: Promise<void>): Promise<void> {
    await this.#drain(grace)
    if (!this.#isCut) await this.#stop()
    if (!this.#isCut) await this.#close()
    const lost = this.#isCut ? this.#end() : 0
    const { cleanup } = this.#own
    if (cleanup !== undefined) {
      this.#step('cleanup')
      await Promise.race([this.#try(async () => { await cleanup() }), over.then(() => this.#errors.push(tooLong()))])
    }
    this.#step('done')
    for (const timer of this.#timers) timer.cancel()
    const { answered, ended } = this.#connections
    const errors = this.#errors
    const clean = !this.#isCut && errors.length === 0
    this.#tellFinished({ reason: this.#reason, clean, duration: this.#elapsed, answered, cut: lost, ended, errors })
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

  /** @returns how many requests it cost. */
  #end(): number {
    const lost = this.#connections.requests
    this.#step('cut')
    this.#connections.stop()
    this.#connections.destroy()
    // Not waited for: time is up, and nothing of it can be lost any more.
    for (const client of this.#clients) void this.#try(() => client.destroy())
    return lost
  }

  get #elapsed(): number {
    return Math.round(this.#clock.now() - (this.startedAt ?? this.#clock.now()))
  }

  /** Tells of a step. What a listener throws must not keep the service from going. */
  #step(step: ShutdownStep): void {
    const { requests, size } = this.#connections
    const event = { step, reason: this.#reason, elapsed: this.#elapsed, requests, connections: size }
    void this.#try(async () => { await this.#own.onStep?.(event) })
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

const tooLong = (): Error => new Error('cleanup took longer than the timeout allows')
