import type { Client } from '../client/client.ts'
import { systemEnv } from '../clock.ts'
import { OptionError } from '../outcome/errors.ts'
import { describeValue, kindOf } from '../options/refuse.ts'
import { isDraining } from './draining.ts'
import { healthSettings, type HealthOptions } from './options.ts'
import { Outage } from './outage.ts'
import { refuses, reportOf, type HealthReport } from './report.ts'

/** What the handler reads of a request: one of node:http, Express, or Fastify's `request.raw`. */
export interface HealthRequest {
  /** Its method. */
  readonly method?: string | undefined
  /** Its target. */
  readonly url?: string | undefined
}

/** What the handler needs of a response: one of node:http, Express, or Fastify's `reply.raw`. */
export interface HealthResponse {
  /** Sends the status and the header fields. */
  writeHead(status: number, headers: Record<string, string | number>): unknown
  /** Sends the body. */
  end(body?: string): unknown
}

/** Answers `/livez` and `/readyz`. */
export interface Health {
  /**
   * Answers a request if it is for one of its paths.
   * @returns whether it did; if not, `next` was called.
   */
  (request: HealthRequest, response: HealthResponse, next?: () => void): boolean
  /** What `/readyz` would say now. */
  report(): HealthReport
}

/** The media type of draft-inadarei-api-health-check-06. */
const TYPE = 'application/health+json'
const LIVE: HealthReport = { status: 'pass' }

/**
 * Makes the handler of `/livez` and `/readyz` for a service that calls its upstreams by this client.
 *
 * Liveness says that the process answers, and never looks at an upstream: a restart does not mend somebody else.
 * Readiness is 503 while the service is going (`gracefulShutdown()` with the same client), when the client is closed,
 * and, in its turn, while a critical upstream is out; all else that is wrong is a `warn` in a 200.
 *
 * @example
 * const health = createHealth(client, { critical: ['payments'] })
 * createServer((request, response) => { if (!health(request, response)) app(request, response) })
 *
 * @throws OptionError when an option makes no sense, or a critical upstream is none the client was configured with.
 */
export function createHealth(client: Client, options: HealthOptions = {}): Health {
  if (typeof (client as Partial<Client> | undefined)?.snapshot !== 'function') {
    throw new OptionError('client', kindOf(client), 'a breakwater client')
  }
  const settings = healthSettings(options)
  const { clock, random } = { ...options }.env ?? systemEnv
  const outages = new Map(settings.critical.map((name, index) =>
    [nameOf(client, name, `critical[${index}]`), new Outage(settings, random)]))
  const critical = new Set(outages.keys())
  let kept: { readonly at: number; readonly wasDraining: boolean; readonly report: HealthReport } | undefined

  /** Every outage is looked at, whatever the first one says: none may go unseen. */
  const unreadyFor = (refusing: ReadonlySet<string>, now: number): string | undefined => {
    let unready: string | undefined
    for (const [name, outage] of outages) {
      outage.see(refusing.has(name), now)
      if (outage.isTurn(now)) unready ??= `${name} is critical and refuses calls; it is this replica's turn to be out`
    }
    return unready
  }

  const report = (): HealthReport => {
    const now = clock.now()
    const draining = isDraining(client)
    if (kept !== undefined && now - kept.at < settings.refresh && kept.wasDraining === draining) return kept.report
    const snapshots = client.snapshot()
    const closed = snapshots.length > 0 && snapshots.every(upstream => upstream.draining)
    const unready = unreadyFor(new Set(snapshots.filter(refuses).map(({ name }) => name)), now)
    const output = draining ? 'the service is going' : closed ? 'the client is closed' : unready
    kept = { at: now, wasDraining: draining, report: reportOf(snapshots, output, critical, settings) }
    return kept.report
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

/** The name under which the client reports an upstream that was configured by a name or origin. */
function nameOf(client: Client, name: string, where: string): string {
  try {
    return client.upstream(name).snapshot().name
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(where, describeValue(name), error.expected, `\`${where}\`: ${error.message}`)
  }
}
