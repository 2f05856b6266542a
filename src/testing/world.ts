import type { Env } from '../clock.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { refuse } from '../options/refuse.ts'
import { manualClock, type ManualClock } from './manual-clock.ts'
import { seededRandom } from './random.ts'
import { unknownHost } from './scripts.ts'
import { ScriptedUpstream } from './upstream.ts'

/** Options of connections, of which there are none: laid over a pool's own, which would be refused beside the factory. */
const UNUSED: object = { tls: undefined, socketPath: undefined }
/** How long `world.until()` may take, in ms of the world. */
const LONGEST = 3_600_000

/** What `world.until()` rejects with when its time is up. */
export class NeverSettled extends Error {
  /** The name of the class. */
  override readonly name = 'NeverSettled'
}

/**
 * Time, chance and upstreams for a test, all of them in its hand: no sockets, no sleeping, and the same run each time.
 */
export class World {
  /** Time; it begins at 0 and stands still until it is moved. */
  readonly clock: ManualClock = manualClock(0)
  /** Time and chance, for `createClient({ env })`. */
  readonly env: Env
  /**
   * The options that put a client into this world, over your own: `createClient({ ...options, ...world.options })`. If
   * yours have a `pool`, add `pool: { ...options.pool, ...world.options.pool }`.
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

  /** How much time has passed, in ms. */
  get now(): number {
    return this.clock.now()
  }

  /**
   * The upstream at an origin; the same one each time. The name of a host nobody has asked for does not resolve.
   * @param url - e.g. `http://payments`; a path is left out.
   * @throws OptionError if it is no URL of http or https.
   */
  upstream(url: string): ScriptedUpstream {
    const origin = originOf(url)
    const made = this.#upstreams.get(origin) ?? new ScriptedUpstream(origin, this.clock)
    this.#upstreams.set(origin, made)
    return made
  }

  /** Moves time on by `ms`; whatever falls due happens in order, and everything settles before it resolves. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /**
   * Moves time on until `promise` settles, from one event to the next, and settles as it does.
   * @throws NeverSettled when nothing is left to happen, or after an hour of the world's time.
   */
  async until<T>(promise: PromiseLike<T>): Promise<T> {
    const seen = { settled: false }
    const settle = (): void => { seen.settled = true }
    promise.then(settle, settle)
    const end = this.now + LONGEST
    await this.advance(0)
    while (!seen.settled) {
      const next = this.clock.nextIn
      if (this.now + next > end) throw new NeverSettled(`not settled at ${this.now} ms, and ${next === Infinity ? 'nothing is left to happen' : 'an hour is over'}`)
      await this.advance(next)
    }
    return promise
  }

  #unknown(origin: string): ScriptedUpstream {
    return new ScriptedUpstream(origin, this.clock, unknownHost())
  }
}

const originOf = (url: string): string => {
  const parsed = URL.parse(url)
  const isHttp = parsed !== null && /^https?:$/.test(parsed.protocol)
  return isHttp ? parsed.origin : refuse('url', url, 'an absolute http or https URL')
}

/**
 * Makes a world for a test.
 *
 * @param world - `seed` is where chance begins, 1 if left out: the same whole number gives the same run.
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
