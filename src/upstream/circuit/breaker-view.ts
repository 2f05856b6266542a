import type { EventEmitter } from 'node:events'
import type { CircuitOpenError, TimeoutError, UpstreamError } from '../../outcome/errors.ts'

/** What an attempt that succeeded ended with. */
export interface BreakerResult {
  /** The status of the response; undefined if it ended before the headers. */
  readonly status: number | undefined
}

/** opossum's events, as a {@link BreakerView} emits them. Durations are in ms; `args` is always empty. */
export interface BreakerEvents {
  /** An attempt was admitted, or a call was refused: then `reject` follows. */
  fire: [args: readonly unknown[]]
  /** The circuit refused a call. */
  reject: [error: CircuitOpenError]
  /** An attempt ended that proves the endpoint healthy. */
  success: [result: BreakerResult, latency: number]
  /** An attempt ended that speaks against the endpoint. */
  failure: [error: UpstreamError, latency: number, args: readonly unknown[]]
  /** Time ran out on an attempt; `failure` follows. */
  timeout: [error: TimeoutError, latency: number, args: readonly unknown[]]
  /** The circuit opened, or was isolated. */
  open: []
  /** The first probe is out. `resetTimeout` is the option `breaker.openTime`. */
  halfOpen: [resetTimeout: number]
  /** The circuit closed. */
  close: []
  /** The last event of a view. */
  shutdown: []
}

/** Counts of a rolling window, by the names that opossum gives them. */
export interface BreakerStats {
  /** Attempts admitted and calls refused. */
  readonly fires: number
  /** Calls refused. */
  readonly rejects: number
  /** Attempts that proved the endpoint healthy. */
  readonly successes: number
  /** Attempts that spoke against the endpoint, timeouts included. */
  readonly failures: number
  /** Attempts on which time ran out. */
  readonly timeouts: number
  /** Mean latency of successes and failures, in ms; 0 if there were none. */
  readonly latencyMean: number
  /** Percentiles of the same, in ms, by ratio: `stats.percentiles['0.99']`. */
  readonly percentiles: Readonly<Record<string, number>>
  /** The latencies these are computed from: a sample of at most 1,000 for each tenth of the window. */
  readonly latencyTimes: readonly number[]
  /** Always 0: the fallback belongs to the upstream, not to one endpoint. */
  readonly fallbacks: number
  /** Always 0: there is no such cache. */
  readonly cacheHits: number
  /** Always 0. */
  readonly cacheMisses: number
  /** Always 0: equal calls are joined outside the circuit. */
  readonly coalesceCacheHits: number
  /** Always 0. */
  readonly coalesceCacheMisses: number
  /** Always 0: the limit belongs to the upstream, not to one endpoint. */
  readonly semaphoreRejections: number
}

/** The rolling window of a {@link BreakerView}. */
export interface BreakerStatus extends EventEmitter {
  /** The window as it is now. */
  readonly stats: BreakerStats
  /** Listens for `snapshot`: the window, every tenth of its length. A timer runs while there is a listener. */
  on(event: 'snapshot', listener: (stats: BreakerStats) => void): this
  /** Listens for any other event. */
  on(event: string | symbol, listener: (...args: unknown[]) => void): this
}

/**
 * The circuit of one endpoint, as an opossum `CircuitBreaker` for dashboards, metrics packages and code that know
 * those: it is an instance of that class and emits its events. The circuit decides, and a view cannot disturb it.
 *
 * `fire()` and `call()` reject, and `disable()`, `fallback()` and `healthCheck()` throw, with a TypeError: send
 * requests through the client.
 */
export interface BreakerView extends EventEmitter {
  /** The origin of the endpoint. */
  readonly name: string
  /** The name of the upstream. */
  readonly group: string
  /** False after `shutdown()`. */
  readonly enabled: boolean
  /** Whether the circuit is closed. */
  readonly closed: boolean
  /** Whether it is open or isolated. */
  readonly opened: boolean
  /** Whether probes are out, or have begun to succeed. */
  readonly halfOpen: boolean
  /** Whether it is half-open and would admit a further probe. */
  readonly pendingClose: boolean
  /** Whether the view is no longer connected to a circuit. */
  readonly isShutdown: boolean
  /** Always false. */
  readonly warmUp: boolean
  /** The option `breaker.minimumCalls`. */
  readonly volumeThreshold: number
  /** The rolling window: as long as `breaker.window`, in ten slices. */
  readonly status: BreakerStatus
  /** The same as `status.stats`. */
  readonly stats: BreakerStats
  /** Isolates this endpoint: its circuit refuses all calls until `close()`. opossum's own would try again by itself. */
  open(): void
  /** Closes the circuit, whatever its state. */
  close(): void
  /** Disconnects the view: no events after `shutdown`. The circuit goes on. */
  shutdown(): void
  /** State and counts, as opossum writes them. */
  toJSON(): object
  /**
   * Listens for one of {@link BreakerEvents}. A listener that throws disturbs no call: Node reports an uncaught
   * exception.
   */
  on<Event extends keyof BreakerEvents>(event: Event, listener: (...args: BreakerEvents[Event]) => void): this
  /** Listens for any other event. */
  on(event: string | symbol, listener: (...args: unknown[]) => void): this
  /** Listens for the next of one of {@link BreakerEvents}. */
  once<Event extends keyof BreakerEvents>(event: Event, listener: (...args: BreakerEvents[Event]) => void): this
  /** Listens for the next of any other event. */
  once(event: string | symbol, listener: (...args: unknown[]) => void): this
}
