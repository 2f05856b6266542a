import type { Client } from '../client/client.ts'
import { systemEnv } from '../clock.ts'
import { OptionError } from '../outcome/errors.ts'
import { describeValue, kindOf } from '../options/refuse.ts'
import { isDraining } from './draining.ts'
import { healthSettings, type HealthOptions } from './options.ts'
import { Outage } from './outage.ts'
import { refuses, reportOf, type HealthReport } from './report.ts'

/** The part of a request that the handler reads: of node:http, Express, or Fastify's `request.raw`. */
export interface HealthRequest {
  /** Its method. */
  readonly method?: string | undefined
  /** Its request target. */
  readonly url?: string | undefined
}

/** The part of a response that the handler needs: of node:http, Express, or Fastify's `reply.raw`. */
export interface HealthResponse {
  /** Sends the status and the header fields. */
  writeHead(status: number, headers: Record<string, string | number>): unknown
  /** Sends the body. */
  end(body?: string): unknown
}

/** The handler of `/livez` and `/readyz`. */
export interface Health {
  /**
   * Responds to a request for one of its paths.
   * @returns whether it responded; otherwise it has called `next`.
   */
  (request: HealthRequest, response: HealthResponse, next?: () => void): boolean
  /** The report that `/readyz` would send now. */
  report(): HealthReport
}

/** The media type of draft-inadarei-api-health-check-06. */
const TYPE = 'application/health+json'
const LIVE: HealthReport = { status: 'pass' }

/**
 * Creates the handler of `/livez` and `/readyz` for a service that calls its upstreams with this client.
 *
 * Liveness only says that the process responds. It never depends on an upstream, as a restart of this service would not repair
 * one. Readiness is 503 while the service is shutting down (`gracefulShutdown()` with the same client), when the client is
 * closed, and during this replica's turn in the outage of a critical upstream; any other problem is a `warn` with status 200.
 *
 * @example
 * const health = createHealth(client, { critical: ['payments'] })
 * createServer((request, response) => { if (!health(request, response)) app(request, response) })
 *
 * @throws OptionError for an invalid option, or a critical upstream that the client was not configured with.
 */
export function createHealth(client: Client, options: HealthOptions = {}): Health {
  if (typeof (client as Partial<Client> | undefined)?.snapshot !== 'function') {
    throw new OptionError('client', kindOf(client), 'a breakwater client')
  }
  const settings = healthSettings(options)
  const { clock, random } = { ...options }.env ?? systemEnv
  const outages = new Map(settings.critical.map((name, index) =>
    [configuredName(client, name, `critical[${index}]`), new Outage(settings, random)]))
  const critical = new Set(outages.keys())
  let cached: { readonly at: number; readonly wasDraining: boolean; readonly report: HealthReport } | undefined

  /** Why the replica is unready, if it is. All outages are updated, even after the first that makes it unready. */
  const reasonUnready = (refusing: ReadonlySet<string>, now: number): string | undefined => {
    let unready: string | undefined
    for (const [name, outage] of outages) {
      outage.update(refusing.has(name), now)
      if (outage.isTurn(now)) unready ??= `critical upstream ${name} is unavailable, and it is this replica's turn to be unready`
    }
    return unready
  }

  const report = (): HealthReport => {
    const now = clock.now()
    const draining = isDraining(client)
    if (cached !== undefined && now - cached.at < settings.refresh && cached.wasDraining === draining) return cached.report
    const snapshots = client.snapshot()
    const closed = snapshots.length > 0 && snapshots.every(upstream => upstream.draining)
    const unready = reasonUnready(new Set(snapshots.filter(refuses).map(({ name }) => name)), now)
    const output = draining ? 'the service is shutting down' : closed ? 'the client is closed' : unready
    cached = { at: now, wasDraining: draining, report: reportOf(snapshots, output, critical, settings) }
    return cached.report
  }

  const handle = (request: HealthRequest, response: HealthResponse, next?: () => void): boolean => {
    const path = request.url?.split('?', 1)[0]
    if (path === settings.livePath) answer(request, response, LIVE)
    else if (path === settings.readyPath) answer(request, response, report())
    else {
      next?.()
      return false
    }
    return true
  }
  return Object.assign(handle, { report })
}

function answer({ method }: HealthRequest, response: HealthResponse, report: HealthReport): void {
  const common = { 'cache-control': 'no-store', 'content-type': TYPE }
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { 'cache-control': 'no-store', 'allow': 'GET, HEAD', 'content-length': 0 })
    response.end()
    return
  }
  const body = JSON.stringify(report)
  response.writeHead(report.status === 'fail' ? 503 : 200, { ...common, 'content-length': Buffer.byteLength(body) })
  response.end(method === 'HEAD' ? undefined : body)
}

/** The name of a configured upstream in the client's snapshots. */
function configuredName(client: Client, name: string, where: string): string {
  try {
    return client.upstream(name).snapshot().name
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(where, describeValue(name), error.expected, `\`${where}\`: ${error.message}`)
  }
}
