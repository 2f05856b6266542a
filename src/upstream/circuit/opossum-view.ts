import CircuitBreaker, { type Counts, type Options } from 'opossum'
import { wallClock, type Env } from '../../clock.ts'
import type { BreakerPolicy } from '../../options/policy.ts'
import type { CircuitState } from '../../outcome/circuit-state.ts'
import { StatusError, TimeoutError, UpstreamError } from '../../outcome/errors.ts'
import { Reply } from '../../outcome/reply.ts'
import { failed } from '../../outcome/verdict.ts'
import type { BreakerResult, BreakerView } from './breaker-view.ts'
import type { Circuit } from './circuit.ts'
import type { AttemptResult } from './observer.ts'
import { RollingStatus } from './opossum-status.ts'

/** What a view shows besides the circuit itself. */
export interface Viewed {
  /** The origin of the endpoint. */
  readonly name: string
  /** The name of the upstream. */
  readonly group: string
  readonly policy: BreakerPolicy
  readonly env: Env
}

/** How opossum names the change to each state. */
const EVENTS: Readonly<Record<CircuitState, 'open' | 'halfOpen' | 'close'>> =
  { 'closed': 'close', 'open': 'open', 'isolated': 'open', 'half-open': 'halfOpen' }

/** The events that opossum counts and by what name, in its order: packages ask a breaker for its `eventNames()`. */
const COUNTED: readonly (readonly [event: string, count: keyof Counts])[] = [
  ['success', 'successes'], ['failure', 'failures'], ['fallback', 'fallbacks'], ['timeout', 'timeouts'],
  ['fire', 'fires'], ['reject', 'rejects'], ['cacheHit', 'cacheHits'], ['cacheMiss', 'cacheMisses'],
  ['coalesceCacheHit', 'coalesceCacheHits'], ['coalesceCacheMiss', 'coalesceCacheMisses'],
  ['semaphoreLocked', 'semaphoreRejections'],
]

const optionsOf = ({ openTime, failureRate, window, minimumCalls }: BreakerPolicy): Options => ({
  resetTimeout: openTime, errorThresholdPercentage: failureRate * 100,
  rollingCountTimeout: window, volumeThreshold: minimumCalls,
})

const unavailable = (method: string): TypeError =>
  new TypeError(`${method}() is not available on a view of a circuit: use the client and its options`)

/**
 * The failure of an attempt as an error. One made for a status holds neither the headers nor the body of the response.
 */
const failureOf = ({ report, reply, error }: AttemptResult): UpstreamError => {
  if (error instanceof UpstreamError) return error
  const bare = new Reply(reply?.status ?? 0, {})
  bare.verdict = reply?.verdict ?? 'none'
  return new StatusError(report, bare)
}

/**
 * A circuit as an opossum breaker. State is read from the circuit; what happens to it is emitted as opossum's events,
 * which opossum counts. Nothing of opossum decides: the listeners by which its constructor would do so (a success
 * closes a half-open breaker, an open one starts a timer) are removed, and those that count are added again.
 */
class OpossumView extends CircuitBreaker implements BreakerView {
  readonly #circuit: Circuit
  readonly #status: RollingStatus
  #policy: BreakerPolicy
  /** The last change of state, whether it was emitted or came before the view. */
  #change: (typeof EVENTS)[CircuitState]
  /** When the circuit last opened, as ms since 1970. */
  #openedAt: number | undefined
  #isOver = false

  constructor(circuit: Circuit, { name, group, policy, env }: Viewed) {
    const status = new RollingStatus(policy.window, env)
    super(() => Promise.reject(unavailable('fire')), {
      ...optionsOf(policy), name, group, status,
      // Attempts have a time limit, circuits have none.
      timeout: false,
      enableSnapshots: false,
    })
    this.#circuit = circuit
    this.#status = status
    this.#policy = policy
    this.#change = EVENTS[circuit.state]
    this.removeAllListeners()
    for (const [event, count] of COUNTED) {
      this.on(event, (_: unknown, latency?: number) => { status.increment(count, latency) })
    }
    this.on('open', () => { status.open() })
    this.on('close', () => { status.close() })
    circuit.observer = {
      admitted: () => { this.emit('fire', []) },
      refused: error => {
        this.emit('fire', [])
        this.emit('reject', error)
      },
      ended: result => { this.#ended(result) },
      changed: () => { this.#changed() },
      tuned: tuned => { this.#tuned(tuned) },
      released: () => { this.shutdown() },
    }
  }

  override get closed(): boolean {
    return !this.#isOver && this.#circuit.state === 'closed'
  }

  override get opened(): boolean {
    return !this.#isOver && EVENTS[this.#circuit.state] === 'open'
  }

  override get halfOpen(): boolean {
    return !this.#isOver && this.#circuit.state === 'half-open'
  }

  override get pendingClose(): boolean {
    return this.halfOpen && this.#circuit.admits(this.#status.now)
  }

  override get volumeThreshold(): number {
    return this.#policy.minimumCalls
  }

  override get status(): RollingStatus {
    return this.#status
  }

  override open(): void {
    if (!this.#isOver) this.#circuit.isolate()
  }

  override close(): void {
    if (!this.#isOver) this.#circuit.restore()
  }

  override shutdown(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#circuit.observer = undefined
    super.shutdown()
  }

  /** A listener that throws must not fail the call in progress: its error is reported as an uncaught exception. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    try {
      return super.emit(event, ...args)
    } catch (error) {
      queueMicrotask(() => { throw error })
      return true
    }
  }

  /** What opossum's `fire()` goes through. */
  override call(): Promise<never> {
    return Promise.reject(unavailable('fire'))
  }

  override disable(): void {
    // opossum's own shutdown() calls it.
    if (!this.#isOver) throw unavailable('disable')
    super.disable()
  }

  override fallback(): never {
    throw unavailable('fallback')
  }

  override healthCheck(): never {
    throw unavailable('healthCheck')
  }

  /** With the time of the last opening; opossum would give the time of construction. */
  override toJSON(): ReturnType<CircuitBreaker['toJSON']> {
    const { state, status } = super.toJSON()
    return { state: { ...state, lastTimerAt: this.#openedAt }, status }
  }

  #ended(result: AttemptResult): void {
    const { verdict, latency, reply, error } = result
    if (verdict === 'none') return
    if (!failed(verdict)) {
      const success: BreakerResult = { status: reply?.status }
      this.emit('success', success, latency)
      return
    }
    const failure = failureOf(result)
    if (error instanceof TimeoutError) this.emit('timeout', failure, latency, [])
    this.emit('failure', failure, latency, [])
  }

  /** The circuit is asked for its state: a listener may have changed it once more. */
  #changed(): void {
    const change = EVENTS[this.#circuit.state]
    if (change === this.#change) return
    this.#change = change
    if (change === 'open') this.#openedAt = wallClock()
    if (change === 'halfOpen') this.emit(change, this.#policy.openTime)
    else this.emit(change)
  }

  #tuned(policy: BreakerPolicy): void {
    if (policy.window !== this.#policy.window) this.#status.resize(policy.window)
    this.#policy = policy
    Object.assign(this.options, optionsOf(policy))
  }
}

const views = new WeakMap<Circuit, BreakerView>()

/** The view of a circuit: one, however many have asked, until it is shut down. */
export function viewOf(circuit: Circuit, viewed: Viewed): BreakerView {
  const known = views.get(circuit)
  if (known?.isShutdown === false) return known
  const made = new OpossumView(circuit, viewed)
  views.set(circuit, made)
  return made
}
