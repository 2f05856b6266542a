import { boolean, callable, finiteMs, group, positive, record, text, type Check, type ShapeOf } from './checks.ts'
import type { PoolOptions } from './pool-options.ts'

const POOL: ShapeOf<PoolOptions> = {
  connections: positive, connectTimeout: finiteMs, idleTimeout: finiteMs, maxIdleTimeout: finiteMs, maxAge: finiteMs,
  http2: boolean, tls: record, socketPath: text, factory: callable,
}

/** Checks the options of the connections. */
export const pool: Check = group(POOL)
