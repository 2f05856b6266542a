import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const BENCH = new URL('./', import.meta.url)

interface Manifest {
  readonly version?: string
  readonly devDependencies?: Readonly<Record<string, string>>
}

const manifest = (path: string): Manifest => {
  const url = new URL(path, BENCH)
  return existsSync(url) ? JSON.parse(readFileSync(url, 'utf8')) as Manifest : {}
}

/** The peers that are not there in the version that is pinned. */
export const missingPeers = (): string[] => Object.entries(manifest('package.json').devDependencies ?? {})
  .filter(([name, version]) => manifest(`node_modules/${name}/package.json`).version !== version)
  .map(([name]) => name)

/** Installs the peers by their own lock file if any is missing, and says so. @throws Error when that fails */
export function installPeers(say: (line: string) => void): void {
  const missing = missingPeers()
  if (missing.length === 0) return
  say(`Installing the peers into bench/node_modules (npm ci --prefix bench): ${missing.join(', ')} missing`)
  const { status, error } = spawnSync('npm', ['ci', '--prefix', fileURLToPath(BENCH), '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32',
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`npm ci --prefix bench ended with ${status ?? 'a signal'}`)
}
