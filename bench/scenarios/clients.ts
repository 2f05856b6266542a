import { Pool } from 'undici'
import { bare } from '../../demo/clients/bare.ts'
import { breakwater } from '../../demo/clients/breakwater.ts'
import type { Client } from '../../demo/clients/client.ts'
import type { Guarded, GuardOptions } from '../contenders/guard.ts'
import { poolExchange, type Exchange } from '../contenders/undici.ts'

type Make = (url: string, deadline: number) => Client | Promise<Client>
type Guard = (exchange: Exchange, options: GuardOptions) => Promise<Guarded>

/** A peer as it comes, but for the caller's deadline: on every attempt, and on the call as a whole. */
async function guarded(guard: Guard, url: string, deadline: number): Promise<Client> {
  const pool = new Pool(new URL(url).origin)
  const { exchange, close } = await guard(poolExchange(pool), { timeout: deadline, retries: 3 })
  return {
    async call(url) {
      const { pathname, search } = new URL(url)
      const reply = await exchange(pathname + search, { signal: AbortSignal.timeout(deadline) })
      await reply.body.json()
    },
    circuit: () => undefined,
    async close() {
      close()
      await pool.destroy()
    },
  }
}

/** The client under test. */
export const OWN = 'breakwater'

/** The clients that are put through the scenarios. */
export const CLIENTS: Readonly<Record<string, Make>> = {
  [OWN]: breakwater,
  'bare undici': bare,
  'opossum + p-retry': async (url, deadline) =>
    guarded((await import('../contenders/opossum.ts')).opossumGuard, url, deadline),
  'cockatiel ×4': async (url, deadline) =>
    guarded((await import('../contenders/cockatiel.ts')).cockatielGuard, url, deadline),
}
