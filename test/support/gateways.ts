import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './check.ts'
import { accepts, end, running, tieToUs } from './child.ts'
import { haproxyConfig, nginxConfig, type GatewaySetup } from './gateway-configs.ts'
import { findProgram, freePort, programMissing } from './programs.ts'

/** The gateways a test can put in front of an upstream. */
export type GatewayName = 'nginx' | 'haproxy'

/** What a gateway is told; durations are real time, so keep them short. */
export interface GatewayOptions {
  /** The upstream's origin, `http://host:port`. A host that is no address is looked up, in vain, at each request. */
  upstream: string
  /** Milliseconds to connect to the upstream. @default 500 */
  connectTimeout?: number
  /** Milliseconds between two reads from the upstream. @default 500 */
  readTimeout?: number
  /** Connections the gateway itself can hold: what happens beyond is part of the test. @default 256 */
  connections?: number
}

/** A real gateway, in a process of its own. */
export interface Gateway extends AsyncDisposable {
  readonly name: GatewayName
  /** The origin, without a slash at its end. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** What it has logged and printed so far. */
  log(): string
  /** Kills it and removes its files; safe to call twice. */
  close(): Promise<void>
}

/** Why tests with this gateway cannot run here, for node:test's `skip`; false where they can. */
export const gatewayMissing = (name: GatewayName): string | false => programMissing(name)

const start = async (name: GatewayName, options: GatewayOptions): Promise<Gateway> => {
  const binary = findProgram(name)
  if (binary === undefined) throw new Error(gatewayMissing(name) || name)
  const dir = mkdtempSync(join(tmpdir(), `breakwater-${name}-`))
  const { hostname, port: upstreamPort } = new URL(options.upstream)
  const setup: GatewaySetup = {
    dir,
    port: await freePort(),
    host: hostname,
    upstream: `${hostname}:${upstreamPort || 80}`,
    known: isIP(hostname) !== 0 || hostname === 'localhost',
    connectTimeout: options.connectTimeout ?? 500,
    readTimeout: options.readTimeout ?? 500,
    connections: options.connections ?? 256,
  }
  const file = join(dir, 'gateway.conf')
  const errors = join(dir, 'error.log')
  writeFileSync(file, name === 'nginx' ? nginxConfig(setup) : haproxyConfig(setup))
  const args = name === 'nginx' ? ['-p', dir, '-e', errors, '-c', file] : ['-db', '-f', file]
  const output = openSync(errors, 'a')
  const child = spawn(binary, args, { stdio: ['ignore', output, output] })
  closeSync(output)
  tieToUs(child)
  let last = ''
  const log = (): string => existsSync(errors) ? last = readFileSync(errors, 'utf8') : last

  let closed: Promise<void> | undefined
  const close = (): Promise<void> => closed ??= end(child).then(() => {
    log()
    rmSync(dir, { recursive: true, force: true })
  })

  const { port } = setup
  try {
    await eventually(async () => !running(child) || await accepts(port), { within: 5_000, what: `${name} accepts` })
    if (!running(child)) throw new Error(`${name} ended at once`)
  } catch (error) {
    const why = log()
    await close()
    throw new Error(`${name} did not start: ${why}`, { cause: error })
  }
  return { name, url: `http://127.0.0.1:${port}`, port, pid: child.pid!, log, close, [Symbol.asyncDispose]: close }
}

/** Starts nginx as a reverse proxy in front of `upstream`. */
export const startNginx = (options: GatewayOptions): Promise<Gateway> => start('nginx', options)

/** Starts HAProxy as a reverse proxy in front of `upstream`. */
export const startHaproxy = (options: GatewayOptions): Promise<Gateway> => start('haproxy', options)
