/** The part of opossum 10 that we use; it ships no types of its own, and `@types/opossum` stops at version 8. */
declare module 'opossum' {
  import { EventEmitter } from 'node:events'

  interface StatusOptions {
    rollingCountTimeout?: number
    rollingCountBuckets?: number
    enableSnapshots?: boolean
    /** Whose event `rotate` moves the window on; without one, each Status starts an interval. */
    rotateBucketController?: EventEmitter
  }

  interface Options extends StatusOptions {
    timeout?: number | false
    resetTimeout?: number
    errorThresholdPercentage?: number
    volumeThreshold?: number
    name?: string
    group?: string
    status?: Status
  }

  /** Counts of one time slice. */
  interface Counts {
    failures: number
    fallbacks: number
    successes: number
    rejects: number
    fires: number
    timeouts: number
    cacheHits: number
    cacheMisses: number
    coalesceCacheHits: number
    coalesceCacheMisses: number
    semaphoreRejections: number
  }

  interface Bucket extends Counts {
    latencyTimes: number[]
  }

  interface Stats extends Bucket {
    latencyMean: number
    percentiles: Record<string, number>
  }

  /** Rolling counts. Not exported: `CircuitBreaker.newStatus` makes one. */
  class Status extends EventEmitter {
    constructor(options: StatusOptions)
    get stats(): Stats
    get window(): Bucket[]
    /** Starts a new slice and drops the oldest. */
    rotateBucket(): void
    increment(count: keyof Counts, latency?: number): void
    open(): void
    close(): void
    shutdown(): void
  }

  // eslint-disable-next-line no-restricted-syntax -- that is how opossum exports it
  export default class CircuitBreaker extends EventEmitter {
    static newStatus(options: StatusOptions): Status
    constructor(action: () => Promise<never>, options: Options)
    readonly options: Options
    get name(): string
    get group(): string
    get enabled(): boolean
    get closed(): boolean
    get opened(): boolean
    get halfOpen(): boolean
    get pendingClose(): boolean
    get isShutdown(): boolean
    get warmUp(): boolean
    get volumeThreshold(): number
    get status(): Status
    get stats(): Stats
    open(): void
    close(): void
    disable(): void
    shutdown(): void
    call(...args: unknown[]): Promise<never>
    fallback(action: unknown): this
    healthCheck(check: unknown, interval?: number): void
    toJSON(): { state: object; status: Stats }
  }
}
