import { restoreGlobals } from './host-globals.ts'
import { buildConnector, Pool as UndiciPool, type Dispatcher } from 'undici'
import type { Env } from '../clock.ts'
import type { Body } from '../call.ts'
import type { Send } from '../layer.ts'
import type { PoolPolicy } from '../options.ts'
import type { Reply } from '../reply.ts'
import { BufferedExchange, type WasOpenBefore } from './exchange.ts'
import { Connections } from './connect.ts'
import { sendable } from './request-body.ts'
import { requestHeaders } from './request-headers.ts'
import { StreamedExchange } from './streamed.ts'

restoreGlobals()

/** The connections to one endpoint. */
export interface Pool {
  /** One exchange on the wire. */
  readonly send: Send
  /** Lets exchanges in flight finish, then closes the connections. */
  close(): Promise<void>
  /** Ends exchanges in flight and closes the connections now. */
  destroy(): Promise<void>
}

interface Connected {
  readonly dispatcher: Dispatcher
  readonly wasOpenBefore: WasOpenBefore
}

const never = (): boolean => false

/** Makes the undici pool of an endpoint, or takes the dispatcher that `pool.factory` makes instead. */
function connect(origin: string, policy: PoolPolicy, env: Env): Connected {
  if (policy.factory !== undefined) {
    return { dispatcher: policy.factory(origin) as unknown as Dispatcher, wasOpenBefore: never }
  }
  const { connections, http2, maxAge, idleTimeout, maxIdleTimeout, tls, socketPath } = policy
  const made = new Connections(
    buildConnector({
      ...tls, allowH2: http2, timeout: 0, ...(socketPath === undefined ? {} : { socketPath }),
    } as buildConnector.BuildOptions),
    policy.connectTimeout, env.clock,
  )
  const dispatcher = new UndiciPool(origin, {
    connect: made.connector,
    connections,
    allowH2: http2,
    clientTtl: maxAge,
    keepAliveTimeout: idleTimeout,
    keepAliveMaxTimeout: maxIdleTimeout,
    // A call always has a deadline of ours, which is exact and covers these; undici's own would only cost.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  return { dispatcher, wasOpenBefore: made.wasOpenBefore }
}

/**
 * An undici pool as a {@link Send}, driven through `dispatch()`: no Readable is made for a buffered reply. It is made
 * when first
 * needed, so that an upstream nobody calls holds no connection machinery.
 */
export function createPool(origin: string, policy: PoolPolicy, env: Env): Pool {
  let made: Connected | undefined
  let closing: Promise<void> | undefined

  const send: Send = call => new Promise<Reply>((resolve, reject) => {
    made ??= connect(origin, policy, env)
    const now = env.clock.now()
    // A factory that throws rejects with its own error, and nothing has begun.
    const body = sendable(call.body, error => { exchange.stop(error) })
    const kind = call.streamed ? StreamedExchange : BufferedExchange
    const exchange = new kind(call, now, made.wasOpenBefore, resolve, reject)
    try {
      made.dispatcher.dispatch({
        origin,
        path: call.target,
        method: call.method,
        headers: requestHeaders(call, now),
        body: body as Body & Dispatcher.DispatchOptions['body'],
      }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  })

  return {
    send,
    close: () => (closing ??= made === undefined ? Promise.resolve() : made.dispatcher.close()),
    destroy: () => (made === undefined ? Promise.resolve() : made.dispatcher.destroy()),
  }
}

