import { EventEmitter } from 'node:events'
import CircuitBreaker, {
  type Bucket, type Counts, type Stats, type Status as OpossumStatus, type StatusOptions,
} from 'opossum'
import type { Env, Timer } from '../../clock.ts'
import type { BreakerStatus } from './breaker-view.ts'

const BUCKETS = 10
/** Latencies kept for each bucket: opossum keeps all of them. */
const SAMPLES = 1_000

/** Without a controller of its own, and with snapshots, each Status would start an interval. */
const optionsOf = (window: number): StatusOptions => ({
  rollingCountTimeout: window, rollingCountBuckets: BUCKETS,
  enableSnapshots: false, rotateBucketController: new EventEmitter(),
})

/** opossum exports no class Status, but it takes instances of subclasses. */
const Status = CircuitBreaker.newStatus(optionsOf(BUCKETS)).constructor as new (options: StatusOptions) => OpossumStatus

/**
 * opossum's rolling counts on our clock: the window moves on when it is read or written, so an idle one needs no timer.
 * Only while `snapshot` has a listener does a timer run, and it does not keep the process alive.
 */
export class RollingStatus extends Status implements BreakerStatus {
  readonly #env: Env
  #width: number
  #index: number
  #timer: Timer | undefined

  /** @param window - length in ms. */
  constructor(window: number, env: Env) {
    super(optionsOf(window))
    this.#env = env
    this.#width = window / BUCKETS
    this.#index = this.#indexNow
    this.on('newListener', event => {
      if (event === 'snapshot') this.#timer ??= this.#snapshotLater()
    })
  }

  /** The present, on the clock that the window runs on. */
  get now(): number {
    return this.#env.clock.now()
  }

  override get stats(): Stats {
    this.#advance()
    return super.stats
  }

  override get window(): Bucket[] {
    this.#advance()
    return super.window
  }

  /** Adds one; `latency` in ms becomes one of a bounded sample. */
  override increment(count: keyof Counts, latency?: number): void {
    const [bucket] = this.window
    if (bucket === undefined) return
    bucket[count]++
    if (latency === undefined) return
    const { latencyTimes } = bucket
    // Algorithm R (Vitter, 1985): each latency of the bucket is as likely as any other to be in the sample.
    const place = Math.floor(this.#env.random() * (bucket.successes + bucket.failures))
    if (latencyTimes.length < SAMPLES) latencyTimes.push(latency)
    else if (place < SAMPLES) latencyTimes[place] = latency
  }

  /** Changes the length of the window, in ms; the counts in it are kept. */
  resize(window: number): void {
    this.#advance()
    this.#width = window / BUCKETS
    this.#index = this.#indexNow
  }

  override shutdown(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    super.shutdown()
  }

  get #indexNow(): number {
    return Math.floor(this.now / this.#width)
  }

  #advance(): void {
    const index = this.#indexNow
    for (let gone = Math.min(BUCKETS, index - this.#index); gone > 0; gone--) this.rotateBucket()
    this.#index = Math.max(index, this.#index)
  }

  #snapshotLater(): Timer {
    return this.#env.clock.after(this.#width, () => {
      this.#timer = this.listenerCount('snapshot') === 0 ? undefined : this.#snapshotLater()
      if (this.#timer !== undefined) this.emit('snapshot', this.stats)
    }, true)
  }
}
