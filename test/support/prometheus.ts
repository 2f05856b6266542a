import { execFile, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './check.ts'
import { end, running, tieToUs } from './child.ts'
import { findProgram, freePort, programMissing } from './programs.ts'

/** Why tests with Prometheus cannot run here, for node:test's `skip`; false where they can. */
export const prometheusMissing = (): string | false =>
  programMissing('prometheus') || programMissing('promtool', 'prometheus')

/** A sample, as the HTTP API gives it. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

/** A real Prometheus, in a process of its own, which scrapes one target. */
export interface Prometheus extends AsyncDisposable {
  /** What an expression is now. Throws for one that is none. */
  query(expression: string): Promise<Sample[]>
  /** Anything else of its API, e.g. `rules`. */
  api<T>(path: string): Promise<T>
  close(): Promise<void>
}

/** What a Prometheus is told. */
export interface PrometheusSetup {
  /** Where metrics are scraped, `http://host:port`; path `/metrics`. */
  readonly target: string
  /** Absolute paths of rule files. */
  readonly rules?: readonly string[]
}

interface Answer<T> {
  readonly status: string
  readonly error?: string
  readonly data: T
}

/** Starts a Prometheus that scrapes five times a second, and waits until it is ready. */
export const startPrometheus = async ({ target, rules = [] }: PrometheusSetup): Promise<Prometheus> => {
  const binary = findProgram('prometheus')
  if (binary === undefined) throw new Error('prometheus is not installed')
  const dir = mkdtempSync(join(tmpdir(), 'breakwater-prometheus-'))
  const port = await freePort()
  // JSON is YAML.
  writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify({
    global: { scrape_interval: '200ms', evaluation_interval: '200ms' },
    rule_files: rules,
    scrape_configs: [{ job_name: 'service', static_configs: [{ targets: [new URL(target).host] }] }],
  }))
  const output = openSync(join(dir, 'log'), 'a')
  const child = spawn(binary, [
    `--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn',
  ], { stdio: ['ignore', output, output] })
  closeSync(output)
  tieToUs(child)
  const url = `http://127.0.0.1:${port}`

  const api = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}`)
    const { status, error = '', data } = await response.json() as Answer<T>
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => closed ??= end(child).then(() => { rmSync(dir, { recursive: true, force: true }) })
  try {
    const ready = async (): Promise<boolean> => !running(child) || (await fetch(`${url}/-/ready`)).ok
    await eventually(ready, { within: 20_000, what: 'prometheus is ready' })
    if (!running(child)) throw new Error('prometheus ended at once')
  } catch (error) {
    const why = readFileSync(join(dir, 'log'), 'utf8')
    await close()
    throw new Error(`prometheus did not start: ${why}`, { cause: error })
  }
  return {
    api,
    async query(expression) {
      type Vector = { result: { metric: Record<string, string>; value: [number, string] }[] }
      const { result } = await api<Vector>(`query?query=${encodeURIComponent(expression)}`)
      return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value.replace('Inf', 'Infinity')) }))
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Runs promtool, and gives what it prints. Rejects when it finds fault. */
export const promtool = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await promisify(execFile)(findProgram('promtool') ?? 'promtool', args, { timeout: 60_000 })
  return stdout + stderr
}
