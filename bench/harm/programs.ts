import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accepts, end, running, tieToUs } from '../../test/support/child.ts'
import { findProgram, freePort } from '../../test/support/programs.ts'
import { CLOSED } from './fronts.ts'

/** ms a program may take until it accepts connections. */
const PATIENCE = 10_000

interface Setup {
  /** A folder of its own for all that it writes. */
  readonly dir: string
  readonly port: number
  /** `host:port`, of the origin and of a place where nothing listens. */
  readonly origin: string
  readonly closed: string
}

interface Recipe {
  readonly binary: string
  config(setup: Setup): string
  args(setup: Setup, file: string): string[]
}

const backend = (name: string, address: string): string =>
  `backend ${name} { .host = "${address.split(':')[0]}"; .port = "${address.split(':')[1]}"; }`

const RECIPES: Readonly<Record<ProgramName, Recipe>> = {
  nginx: {
    binary: 'nginx',
    config: ({ dir, port, origin, closed }) => `
daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/error.log crit;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://${origin}; }
    location = /orders { proxy_pass http://${closed}; }
  }
}
`,
    args: ({ dir }, file) => ['-p', dir, '-e', join(dir, 'error.log'), '-c', file],
  },
  varnish: {
    binary: 'varnishd',
    config: ({ origin, closed }) => `vcl 4.1;
${backend('origin', origin)}
${backend('orders', closed)}
sub vcl_recv {
  if (req.url == "/orders") { set req.backend_hint = orders; } else { set req.backend_hint = origin; }
  return (pass);
}
`,
    args: ({ dir, port }, file) =>
      ['-F', '-j', 'none', '-n', join(dir, 'work'), '-a', `127.0.0.1:${port}`, '-f', file, '-s', 'malloc,16m'],
  },
}

/** A real program that may stand before the origin, if it is installed. */
export type ProgramName = 'nginx' | 'varnish'

/** Whether a program is installed. */
export const isInstalled = (name: ProgramName): boolean => findProgram(RECIPES[name].binary) !== undefined

/** A program at work. */
export interface Program {
  readonly url: string
  /** Ends it and removes its files. */
  end(): Promise<void>
}

/**
 * Starts a program that sends `/orders` to where nothing listens and all else to the origin.
 *
 * @throws Error when it ends at once.
 */
export async function startProgram(name: ProgramName, origin: string): Promise<Program> {
  const { binary, config, args } = RECIPES[name]
  const dir = mkdtempSync(join(tmpdir(), `breakwater-${name}-`))
  const setup: Setup = { dir, port: await freePort(), origin: new URL(origin).host, closed: new URL(CLOSED).host }
  const file = join(dir, 'config')
  writeFileSync(file, config(setup))
  const child = spawn(findProgram(binary) ?? binary, args(setup, file), { stdio: ['ignore', 'ignore', 'pipe'] })
  tieToUs(child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-4_000) })
  const stop = async (): Promise<void> => {
    // Varnish has a child of its own, which only an orderly end takes along.
    await end(child, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
  }
  for (const until = performance.now() + PATIENCE; !await accepts(setup.port);) {
    if (!running(child) || performance.now() > until) {
      await stop()
      throw new Error(`${binary} did not start: ${said}`)
    }
    await sleep(20)
  }
  return { url: `http://127.0.0.1:${setup.port}`, end: stop }
}
