import type { IncomingMessage } from 'node:http'
import { callable, checkShape, isRecord, number, positive, type Shape } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'
import type { Forwarding } from './forwarded.ts'

/** Options of {@link createGateway}. */
export interface GatewayOptions {
  /**
   * The upstream, by its name or an origin that the client may call; or a function that chooses one for each request.
   * Undefined: not for this gateway, which is answered with 404, or by `next` if there is one. Neither the Host nor an absolute
   * target of a request ever chooses.
   */
  readonly upstream: string | ((req: IncomingMessage) => string | undefined)
  /** Makes the path for the upstream, query included, out of the request's. @default the path as it came */
  readonly path?: (path: string, req: IncomingMessage) => string
  /**
   * What the upstream is told of who asked, in `Forwarded` and `X-Forwarded-*`. `replace`: what this gateway has seen, and
   * nothing that the request says of it. `append`: that too, for a gateway that only proxies of yours can reach. false: nothing.
   * @default 'replace'
   */
  readonly forwarded?: Forwarding
  /** This gateway's name in `Via` and `Proxy-Status`: a token, or `host:port`. @default 'breakwater' */
  readonly via?: string
  /** How long a client may take nothing of a reply that waits for it, in ms. Then both connections end. @default 60 000 */
  readonly clientTimeout?: number
  /**
   * Connections at most that are a WebSocket, or are about to become one; one more is answered with 503. @default 10 000
   */
  readonly maxUpgrades?: number
  /**
   * Hears of each error that was answered with a status, or that cut a reply off; for logs. Not of a client that went away,
   * nor of a status of the upstream's own.
   */
  readonly onError?: (error: unknown, req: IncomingMessage) => void
}

type Optional = 'path' | 'onError'
/** {@link GatewayOptions}, completed. */
export type GatewayPolicy = Required<Omit<GatewayOptions, Optional>> & Pick<GatewayOptions, Optional>

const DEFAULTS: Omit<GatewayPolicy, Optional | 'upstream'> = {
  forwarded: 'replace', via: 'breakwater', clientTimeout: 60_000, maxUpgrades: 10_000,
}

const UPSTREAM = 'the name or origin of an upstream, or a function that returns one'
const GATEWAY: Shape = {
  upstream: (value, where) => {
    if (typeof value !== 'function' && (typeof value !== 'string' || value === '')) {
      refuse(where, value, UPSTREAM)
    }
  },
  path: callable,
  onError: callable,
  forwarded: (value, where) => {
    if (value !== 'replace' && value !== 'append' && value !== false) refuse(where, value, "'replace', 'append' or false")
  },
  via: (value, where) => {
    // RFC 9110 §7.6.3
    const fits = typeof value === 'string' && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?::\d+)?$/.test(value)
    if (!fits) refuse(where, value, 'a token (RFC 9110) or host:port')
  },
  clientTimeout: number(1, 2 ** 31 - 1, 'a number of ms from 1 to 2147483647'),
  maxUpgrades: positive,
}

/** Checks and completes options. @throws OptionError */
export function gatewayPolicy(options: GatewayOptions): GatewayPolicy {
  if (!isRecord(options)) refuse('options', options, 'a plain object')
  // Own properties only: what hangs on a prototype is not read.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  checkShape(given, GATEWAY, '')
  if (!Object.hasOwn(given, 'upstream')) refuse('upstream', undefined, UPSTREAM)
  return { ...DEFAULTS, ...given as unknown as GatewayOptions }
}
