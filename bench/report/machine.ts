import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Settings } from '../settings.ts'

/** Where, when and with what a run was made, and how to make it again. */
export interface Machine {
  readonly date: string
  /** The commit measured; `+` if files differed from it. Absent outside a git checkout. */
  readonly commit?: string
  readonly node: string
  readonly v8: string
  readonly system: string
  readonly processor: string
  readonly cores: number
  /** Bytes. */
  readonly memory: number
  /** How busy the machine was when the run began: the mean number of busy processes in the last minute. */
  readonly load: number
  /** The library, what it stands on, and the peers. */
  readonly versions: Readonly<Record<string, string>>
  readonly short: boolean
  readonly reproduce: string
}

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const ROOT = new URL('../../', import.meta.url)
const BENCH = new URL('../', import.meta.url)
const manifest = (url: URL): Manifest => JSON.parse(readFileSync(url, 'utf8')) as Manifest
const installed = (name: string, base: URL): string => manifest(new URL(`node_modules/${name}/package.json`, base)).version

function versions(): Record<string, string> {
  const [own, peers] = [manifest(new URL('package.json', ROOT)), manifest(new URL('package.json', BENCH))]
  return {
    breakwater: own.version,
    ...Object.fromEntries(Object.keys(own.dependencies ?? {}).map(name => [name, installed(name, ROOT)])),
    ...Object.fromEntries(Object.keys(peers.devDependencies ?? {}).map(name => [name, installed(name, BENCH)])),
  }
}

function commit(): { commit?: string } {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return { commit: git('rev-parse', '--short=10', 'HEAD') + (git('status', '--porcelain', 'src') === '' ? '' : '+') }
  } catch {
    return {}
  }
}

function commandOf({ parts, short, own, rounds }: Settings, isAll: boolean): string {
  const flags = [...short ? ['--short'] : [], ...own ? ['--own'] : []]
  const args = [...isAll ? [] : parts, ...flags, ...rounds === undefined ? [] : ['--rounds', String(rounds)]]
  return `npm ci && npm run bench${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`
}

/** Looks at the machine as the run begins. */
export function machine(settings: Settings, isAll: boolean): Machine {
  return {
    date: new Date().toISOString(),
    ...commit(),
    node: process.version,
    v8: process.versions.v8,
    system: `${type()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: totalmem(),
    load: loadavg()[0] ?? NaN,
    versions: versions(),
    short: settings.short,
    reproduce: commandOf(settings, isAll),
  }
}

/** What a reader has to know beside the figures, as lines of a name and what it is. */
export function facts(machine: Machine): readonly (readonly [name: string, value: string])[] {
  const { date, commit, node, v8, system, processor, cores, memory, load } = machine
  return [
    ['date', `${date.slice(0, 16).replace('T', ' ')} UTC`],
    ...commit === undefined ? [] : [['commit', commit] as const],
    ['machine', `${processor}, ${cores} cores, ${(memory / 1024 ** 3).toFixed(1)} GiB, ${system}; load ${load.toFixed(1)} at the start`],
    ['node', `${node} (V8 ${v8})`],
    ['versions', Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(', ')],
    ['reproduce', machine.reproduce],
  ]
}
