import type { ServerOpts } from 'node:net'
import type { ConnectionOptions, SecureContextOptions } from 'node:tls'

type Context = Pick<SecureContextOptions,
  'allowPartialTrustChain' | 'ca' | 'cert' | 'ciphers' | 'clientCertEngine' | 'crl' | 'ecdhCurve' | 'key' | 'maxVersion'
  | 'minVersion' | 'passphrase' | 'pfx' | 'privateKeyEngine' | 'privateKeyIdentifier' | 'secureOptions' | 'secureProtocol'
  | 'sigalgs'>
type Connection = Pick<ConnectionOptions,
  'checkServerIdentity' | 'enableTrace' | 'lookup' | 'minDHSize' | 'rejectUnauthorized' | 'secureContext' | 'session'>
type SocketOptions = Pick<ServerOpts, 'highWaterMark' | 'keepAlive' | 'keepAliveInitialDelay' | 'noDelay'>

/** Options of node:tls and of sockets that take effect on a connection of the pool. */
export interface ConnectionTls extends Context, Connection, SocketOptions {
  /** The host name to request (SNI) and to verify in the certificate. @default the host of the URL */
  readonly servername?: string
}

/** The connections to one endpoint. */
export interface PoolOptions {
  /** Maximum number of connections. Without HTTP/2 it also lowers the default of `limit.max`. @default limit.max */
  readonly connections?: number
  /** Maximum time to establish a connection, in ms. @default 2000, or the attempt timeout if less */
  readonly connectTimeout?: number
  /** How long an idle connection is kept open, in ms. @default 4000, or maxIdleTimeout if less */
  readonly idleTimeout?: number
  /** Upper limit for an idle timeout that the server asks for by `Keep-Alive`, in ms. @default 30000, or idleTimeout if more */
  readonly maxIdleTimeout?: number
  /** Age, in ms, at which a connection is replaced as soon as it is idle, so that DNS changes take effect. @default 300000 */
  readonly maxAge?: number
  /** Experimental: whether HTTP/2 is offered over TLS. A fault in Node can block the event loop for good. @default false */
  readonly http2?: boolean
  /**
   * TLS options as in node:tls: `ca`, `cert`, `key`, `servername` and so on. Certificates are verified unless
   * `rejectUnauthorized` is false. Not allowed together with `factory`.
   */
  readonly tls?: ConnectionTls
  /** Path of a unix socket to connect to instead of host and port. Not allowed together with `factory`. */
  readonly socketPath?: string
  /**
   * Creates the dispatcher of an origin in place of the built-in pool: a proxy agent, for example, or undici's MockAgent in a
   * test.
   */
  readonly factory?: (origin: string) => DispatcherLike
}

/** What `pool.factory` must return; any undici dispatcher fits. */
export interface DispatcherLike {
  /** Sends a request and passes the response to the handler. */
  dispatch(options: never, handler: never): boolean
  /** Finishes what is in flight, then closes. */
  close(): Promise<void>
  /** Closes immediately. */
  destroy(): Promise<void>
}
