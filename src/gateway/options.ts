import type { IncomingMessage } from 'node:http'
import { callable, checkShape, finiteMs, isRecord, positive, type Shape } from '../options/checks.ts'
import { refuse } from '../options/refuse.ts'
import type { Forwarding } from './forwarded.ts'

/** Options of {@link createGateway}. */
export interface GatewayOptions {
  /**
   * The upstream, by its name or an origin that the client may call; or a function that chooses one for each request. If it
   * returns undefined, `next` handles the request, or it gets a 404. Neither the Host header nor an absolute request target
   * ever chooses the upstream.
   */
  readonly upstream: string | ((req: IncomingMessage) => string | undefined)
  /** Maps the path of a request, query included, to the path for the upstream. @default the path unchanged */
  readonly path?: (path: string, req: IncomingMessage) => string
  /**
   * How the client is identified to the upstream, in `Forwarded` and `X-Forwarded-*`. `replace`: by what this gateway sees;
   * fields in the request are dropped. `append`: this is added to the fields in the request, for a gateway that only your own
   * proxies can reach. false: all these fields are dropped. @default 'replace'
   */
  readonly forwarded?: Forwarding
  /** The name of this gateway in `Via` and `Proxy-Status`: a token, or `host:port`. @default 'breakwater' */
  readonly via?: string
  /**
   * How long a client may send nothing of its request's body, or read nothing of a response, in ms. The first is answered with
   * 408; after the second both connections close. @default 60 000
   */
  readonly clientTimeout?: number
  /** How long an upstream may send nothing in the middle of a reply, in ms. Then both connections end. @default 60 000 */
  readonly bodyTimeout?: number
  /**
   * The maximum number of WebSocket connections, those being opened included; a further one gets a 503. @default 10 000
   */
  readonly maxUpgrades?: number
  /**
   * Called for each error that the gateway turned into a response or that cut a response off; for logs. Not called when a client
   * disconnects, nor for an error status of the upstream.
   */
  readonly onError?: (error: unknown, req: IncomingMessage) => void
}

type Optional = 'path' | 'onError'
/** {@link GatewayOptions}, completed. */
export type GatewayPolicy = Required<Omit<GatewayOptions, Optional>> & Pick<GatewayOptions, Optional>

const DEFAULTS: Omit<GatewayPolicy, Optional | 'upstream'> = {
  forwarded: 'replace', via: 'breakwater', clientTimeout: 60_000, bodyTimeout: 60_000, maxUpgrades: 10_000,
}

const EXPECTED_UPSTREAM = 'the name or origin of an upstream, or a function that returns one'
const GATEWAY: Shape = {
  upstream: (value, where) => {
    if (typeof value !== 'function' && (typeof value !== 'string' || value === '')) {
      refuse(where, value, EXPECTED_UPSTREAM)
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
  clientTimeout: finiteMs,
  bodyTimeout: finiteMs,
  maxUpgrades: positive,
}

/** Checks and completes options. @throws OptionError */
export function gatewayPolicy(options: GatewayOptions): GatewayPolicy {
  if (!isRecord(options)) refuse('options', options, 'a plain object')
  // Own properties only: inherited ones are not read.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  checkShape(given, GATEWAY, '')
  if (!Object.hasOwn(given, 'upstream')) refuse('upstream', undefined, EXPECTED_UPSTREAM)
  return { ...DEFAULTS, ...given as unknown as GatewayOptions }
}
