import http from 'node:http'
import https from 'node:https'
import { constants } from 'node:os'
import { systemEnv } from '../clock.ts'
import { OptionError } from '../outcome/errors.ts'
import { kindOf } from '../options/refuse.ts'
import { Connections, type HttpServer } from './connections.ts'
import { shutdownSettings, type ShutdownOptions } from './options.ts'
import { isClosable, Run, type Closable } from './run.ts'
import type { ShutdownReport } from './steps.ts'

/** A shutdown that waits for its signal. Calling it starts it at once; all calls return the same promise, which never rejects. */
export interface Shutdown {
  (): Promise<ShutdownReport>
  /** The report of the shutdown, once it has finished, however it was started. */
  readonly finished: Promise<ShutdownReport>
  /** Stops listening for signals and to the servers, unless the shutdown has started. */
  uninstall(): void
}

/** Ctrl-C under npm is sent twice, by the terminal and by npm: a signal this soon after the first one, in ms, is ignored. */
const ECHO = 250

/**
 * Shuts a service down in bounded time and without losing a request: on SIGTERM (or SIGINT, or when called) readiness fails, the
 * load balancer gets time to react, no more connections are accepted, requests in flight are finished, the client is closed, and
 * the process exits. A second signal ends the process at once; a first signal after a call only makes the process exit at the
 * end.
 *
 * Install it when the server is created: it does not know of requests that arrived before.
 *
 * @example
 * const server = createServer(app).listen(8080)
 * gracefulShutdown(server, client, { onStep: event => log.info(event, 'shutdown') })
 *
 * @throws OptionError for an invalid option.
 */
export function gracefulShutdown(
  server: HttpServer | readonly HttpServer[], client: Closable | readonly Closable[], options: ShutdownOptions = {},
): Shutdown {
  const settings = shutdownSettings(options)
  const servers = [server].flat()
  for (const given of servers) {
    if (!isServer(given)) throw new OptionError('server', kindOf(given), 'a node:http or node:https server')
  }
  const clients = [client].flat()
  for (const given of clients) {
    if (!isClosable(given)) throw new OptionError('client', kindOf(given), 'a client, or an object with close() and destroy()')
  }
  const own = { ...options }
  const { clock } = own.env ?? systemEnv
  const connections = new Connections(servers)
  const run = new Run({ clients, connections }, settings, own, clock)

  let exits = own.exit ?? false
  let signalledAt: number | undefined

  const begin = (reason: string, grace: number): void => {
    if (run.startedAt !== undefined) return
    run.start(reason, grace)
    void run.finished.then(report => {
      uninstall()
      if (exits) process.exit(report.clean ? 0 : 1)
    })
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signalledAt === undefined) {
      signalledAt = clock.now()
      exits = own.exit ?? true
      begin(signal, signal === 'SIGINT' ? 0 : settings.grace)
    } else if (clock.now() - signalledAt >= ECHO) {
      run.cut()
      if (exits) process.exit(128 + constants.signals[signal])
    }
  }
  const uninstall = (): void => {
    for (const signal of settings.signals) process.off(signal, onSignal)
    connections.release()
  }
  for (const signal of settings.signals) process.on(signal, onSignal)

  const shutdown = (): Promise<ShutdownReport> => {
    begin('called', settings.grace)
    return run.finished
  }
  return Object.assign(shutdown, {
    finished: run.finished,
    uninstall: () => { if (run.startedAt === undefined) uninstall() },
  })
}

const isServer = (value: unknown): boolean => value instanceof http.Server || value instanceof https.Server
