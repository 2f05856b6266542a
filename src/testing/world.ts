import type { Env } from '../clock.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { refuse } from '../options/refuse.ts'
import { manualClock, type ManualClock } from './manual-clock.ts'
import { seededRandom } from './random.ts'
import { unknownHost } from './scripts.ts'
import { ScriptedUpstream } from './upstream.ts'

/** Options of connections, of which there are none: laid over a pool's own, which would be refused beside the factory. */
const UNUSED: object = { tls: undefined, socketPath: undefined }
/** The maximum duration of `world.until()`, in ms on the world's clock. */
const MAX_DURATION = 3_600_000

/** The error of `world.until()` when the promise does not settle. */
export class NeverSettled extends Error {
  /** The name of the class. */
  override readonly name = 'NeverSettled'
}

/**
 * Time, chance and upstreams under the control of a test: no sockets, no sleeps, and the same run every time.
 */
export class World {
  /** The clock; it starts at 0 and only moves when the test moves it. */
  readonly clock: ManualClock = manualClock(0)
  /** Time and chance, for `createClient({ env })`. */
  readonly env: Env
  /**
   * The options that put a client into this world: `createClient({ ...options, ...world.options })`. If your own options have a
   * `pool`, add `pool: { ...options.pool, ...world.options.pool }`.
   */
  readonly options: Pick<ClientOptions, 'env' | 'pool'>
  readonly #upstreams = new Map<string, ScriptedUpstream>()

  /** @internal */
  constructor(seed: number) {
    this.env = { clock: this.clock, random: seededRandom(seed) }
    this.options = {
      env: this.env,
      pool: { ...UNUSED, factory: origin => (this.#upstreams.get(origin) ?? this.#unknown(origin)).dispatcher() },
    }
  }

  /** The time that has passed, in ms. */
  get now(): number {
    return this.clock.now()
  }

  /**
   * The upstream at an origin; the same object each time. Host names of other origins do not resolve.
   * @param url - e.g. `http://payments`; a path is ignored.
   * @throws OptionError if it is not an http or https URL.
   */
  upstream(url: string): ScriptedUpstream {
    const origin = httpOrigin(url)
    const made = this.#upstreams.get(origin) ?? new ScriptedUpstream(origin, this.clock)
    this.#upstreams.set(origin, made)
    return made
  }

  /** Advances the time by `ms`; timers fire in order, and all promises settle before it resolves. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /**
   * Advances the time from timer to timer until `promise` settles, and settles in the same way.
   * @throws NeverSettled when no timer is left, or after an hour on the world's clock.
   */
  async until<T>(promise: PromiseLike<T>): Promise<T> {
    const seen = { settled: false }
    const settle = (): void => { seen.settled = true }
    promise.then(settle, settle)
    const end = this.now + MAX_DURATION
    await this.advance(0)
    while (!seen.settled) {
      const next = this.clock.nextIn
      if (this.now + next > end) {
        const why = next === Infinity ? 'no timer is left' : 'an hour has passed'
        throw new NeverSettled(`The promise has not settled at ${this.now} ms, and ${why}`)
      }
      await this.advance(next)
    }
    return promise
  }

  #unknown(origin: string): ScriptedUpstream {
    return new ScriptedUpstream(origin, this.clock, unknownHost())
  }
}

const httpOrigin = (url: string): string => {
  const parsed = URL.parse(url)
  const isHttp = parsed !== null && /^https?:$/.test(parsed.protocol)
  return isHttp ? parsed.origin : refuse('url', url, 'an absolute http or https URL')
}

/**
 * Creates a world for a test.
 *
 * @param world - `seed`, a whole number, 1 if omitted, seeds the random generator: the same seed gives the same run.
 * @example
 * const world = testWorld()
 * const payments = world.upstream('http://payments').always(hang())
 * const client = createClient({ ...world.options, deadline: 2_000 })
 * await rejects(world.until(client.get('http://payments/invoices/7')), DeadlineExceededError)
 * equal(world.now, 2_000)
 * equal(payments.attempts[0]?.outcome, 'aborted')
 */
export const testWorld = ({ seed = 1 }: { readonly seed?: number } = {}): World =>
  new World(Number.isInteger(seed) ? seed : refuse('seed', seed, 'an integer'))
