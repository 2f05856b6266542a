import { Pool } from 'undici'
import type { Client } from './client.ts'

/** What a careful user of undici writes: a pool with keep-alive, a timeout on every call, a look at the status. */
export function bare(url: string, deadline: number): Client {
  const pool = new Pool(new URL(url).origin)
  return {
    async call(url) {
      const { pathname, search } = new URL(url)
      const signal = AbortSignal.timeout(deadline)
      const { statusCode, body } = await pool.request({ method: 'GET', path: pathname + search, signal })
      if (statusCode >= 400) {
        await body.dump()
        throw new Error(`status ${String(statusCode)}`)
      }
      await body.json()
    },
    circuit: () => undefined,
    close: () => pool.destroy(),
  }
}
