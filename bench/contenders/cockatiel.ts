import { Pool, type Dispatcher } from 'undici'
import { load, type Contender } from './contender.ts'
import { answered, type Guarded, type GuardOptions } from './guard.ts'
import { exchangeCalls, poolExchange, type Exchange } from './undici.ts'

type Action = (context: { readonly signal: AbortSignal }) => Promise<Dispatcher.ResponseData>

interface Policy {
  execute(action: Action): Promise<Dispatcher.ResponseData>
}
interface Cockatiel {
  readonly handleAll: unknown
  readonly ExponentialBackoff: new(options?: object) => unknown
  readonly SamplingBreaker: new(options: object) => unknown
  readonly TimeoutStrategy: { readonly Aggressive: unknown }
  retry(errors: unknown, options: object): Policy
  circuitBreaker(errors: unknown, options: object): Policy
  timeout(ms: number, options: object): Policy
  bulkhead(limit: number, queue: number): Policy
  wrap(...policies: readonly Policy[]): Policy
}

/** Four of cockatiel's policies, in the order its documentation gives. */
export async function cockatielGuard(exchange: Exchange, options: GuardOptions): Promise<Guarded> {
  const lib = await load<Cockatiel>('cockatiel')
  const breaker = new lib.SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 2 })
  const policy = lib.wrap(
    lib.retry(lib.handleAll, {
      maxAttempts: options.retries, backoff: new lib.ExponentialBackoff({ initialDelay: 50 }),
    }),
    lib.circuitBreaker(lib.handleAll, { halfOpenAfter: 1_000, breaker }),
    // By default its signal is aborted on return, which would end the body that is still to be read.
    lib.timeout(options.timeout, { strategy: lib.TimeoutStrategy.Aggressive, abortOnReturn: false }),
    lib.bulkhead(options.limit ?? 256, options.queue ?? 256),
  )
  return {
    exchange: (path, options) =>
      policy.execute(async ({ signal }) => answered(await exchange(path, { ...options, signal }))),
    close: () => undefined,
  }
}

/** cockatiel over an undici pool. */
export const cockatiel: Contender = {
  name: 'cockatiel ×4',
  protection: 'retry, circuit breaker, timeout, bulkhead',
  packages: ['cockatiel', 'undici'],
  async open(origin, inFlight) {
    const pool = new Pool(origin)
    const options = { timeout: 10_000, retries: 3, limit: Math.max(256, inFlight) }
    const { exchange } = await cockatielGuard(poolExchange(pool), options)
    return exchangeCalls(exchange, () => pool.destroy())
  },
}
