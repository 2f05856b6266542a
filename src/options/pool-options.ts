import type { ServerOpts } from 'node:net'
import type { ConnectionOptions, SecureContextOptions } from 'node:tls'

type Context = Pick<SecureContextOptions,
  'allowPartialTrustChain' | 'ca' | 'cert' | 'ciphers' | 'clientCertEngine' | 'crl' | 'ecdhCurve' | 'key' | 'maxVersion'
  | 'minVersion' | 'passphrase' | 'pfx' | 'privateKeyEngine' | 'privateKeyIdentifier' | 'secureOptions' | 'secureProtocol'
  | 'sigalgs'>
type Connection = Pick<ConnectionOptions,
  'checkServerIdentity' | 'enableTrace' | 'lookup' | 'minDHSize' | 'rejectUnauthorized' | 'secureContext' | 'session'>
type SocketOptions = Pick<ServerOpts, 'highWaterMark' | 'keepAlive' | 'keepAliveInitialDelay' | 'noDelay'>

/** Options of node:tls and of the socket that have an effect on a connection. */
export interface ConnectionTls extends Context, Connection, SocketOptions {
  /** The host name to ask for and to find in the certificate. @default the host of the URL */
  readonly servername?: string
}

/** The connections to one endpoint. */
export interface PoolOptions {
  /** Connections at most; without HTTP/2 `limit.max` is then no more than that by default. @default limit.max */
  readonly connections?: number
  /** How long to wait for a connection, in ms. @default 2000, or the attempt timeout if that is less */
  readonly connectTimeout?: number
  /** How long an idle connection is kept, in ms. @default 4000, or maxIdleTimeout if that is less */
  readonly idleTimeout?: number
  /** The most that a server's keep-alive hint may make of `idleTimeout`, in ms. @default 30000, or idleTimeout if that is more */
  readonly maxIdleTimeout?: number
  /** Age in ms at which a connection is retired once idle, so that DNS changes are seen. @default 300000 */
  readonly maxAge?: number
  /** Whether HTTP/2 is offered over TLS. @default false */
  readonly http2?: boolean
  /**
   * TLS: `ca`, `cert`, `key`, `servername` and so on, as of node:tls. Certificates are verified unless you say
   * otherwise.
   */
  readonly tls?: ConnectionTls
  /** Path of a unix socket to connect to instead of host and port. */
  readonly socketPath?: string
  /**
   * Makes the dispatcher of an origin in place of the built-in pool, e.g. a proxy agent, or undici's MockAgent in a
   * test.
   */
  readonly factory?: (origin: string) => DispatcherLike
}

/** What `pool.factory` must return: any undici dispatcher is one. */
export interface DispatcherLike {
  /** Sends a request and tells the handler what comes back. */
  dispatch(options: never, handler: never): boolean
  /** Finishes what is in flight, then closes. */
  close(): Promise<void>
  /** Closes now. */
  destroy(): Promise<void>
}
