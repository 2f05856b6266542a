import { Pool, type Dispatcher } from 'undici'
import { load, type Contender } from './contender.ts'
import { answered, type Guarded, type GuardOptions } from './guard.ts'
import { exchangeCalls, poolExchange, type Exchange } from './undici.ts'

type Reply = Dispatcher.ResponseData

interface Breaker {
  fire(...call: Parameters<Exchange>): Promise<Reply>
  shutdown(): void
}
type BreakerClass = new(action: Exchange, options: object) => Breaker
type PRetry = (attempt: () => Promise<Reply>, options: object) => Promise<Reply>

/** opossum's breaker with its timeout, and p-retry around it. */
export async function opossumGuard(exchange: Exchange, { timeout, retries }: GuardOptions): Promise<Guarded> {
  const { default: Breaker } = await load<{ readonly default: BreakerClass }>('opossum')
  const { default: pRetry } = await load<{ readonly default: PRetry }>('p-retry')
  const breaker = new Breaker(async (path, options) => answered(await exchange(path, options)), { timeout })
  return {
    exchange: (path, options) => pRetry(() => breaker.fire(path, options), { retries, minTimeout: 50 }),
    close: () => { breaker.shutdown() },
  }
}

/** opossum and p-retry over an undici pool. */
export const opossum: Contender = {
  name: 'opossum + p-retry',
  protection: 'circuit breaker, timeout, retry',
  packages: ['opossum', 'p-retry', 'undici'],
  async open(origin) {
    const pool = new Pool(origin)
    const { exchange, close } = await opossumGuard(poolExchange(pool), { timeout: 10_000, retries: 3 })
    return exchangeCalls(exchange, async () => {
      close()
      await pool.destroy()
    })
  },
}
