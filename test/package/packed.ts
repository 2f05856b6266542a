import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../surface/approved.ts'

/** The part of a package.json that says what users get. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** The package as the repository has it. */
export const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest

/** What is packed besides package.json; what begins with `!` is left out of it. */
export const shipped: readonly string[] = manifest.files.filter(name => !name.startsWith('!'))

/** What users import, by the name they write: `breakwater`, `breakwater/testing` and so on. */
export const entries: readonly string[] = Object.keys(manifest.exports).filter(key => !key.endsWith('.json'))
  .map(key => manifest.name + key.slice(1))

/** What a program wrote, and how it ended. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** An app in a folder of its own that has installed the package. */
export interface App extends AsyncDisposable {
  /** Its folder. */
  readonly dir: string
  /** The folder of the installed package. */
  readonly installed: string
  /** Writes a file of the app and gives its path. */
  write(name: string, text: string): string
  /** Runs Node in it. */
  node(...args: string[]): Promise<Ran>
}

const exec = promisify(execFile)

const run = async (command: string, args: readonly string[], cwd: string): Promise<Ran> => {
  // Neither the test runner's own variables nor a host's settings are the app's.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
  try {
    return { code: 0, ...await exec(command, args, { cwd, env, timeout: 100_000 }) }
  } catch (error) {
    const { code, stdout, stderr } = error as Ran
    return { code, stdout, stderr }
  }
}

const done = ({ code, stdout, stderr }: Ran): string => {
  if (code !== 0) throw new Error(`it ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}

/** What a build needs besides what is packed. */
const SOURCES = ['package.json', 'src', 'tsconfig.json', 'tsconfig.build.json']

/** Packs the package as from a fresh clone: it holds no build yet, so npm has to make one. */
export const pack = async (): Promise<{ readonly tarball: string } & AsyncDisposable> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'breakwater-pack-'))
  for (const file of [...SOURCES, ...shipped.filter(name => name !== 'dist')]) {
    cpSync(path.join(ROOT, file), path.join(dir, file), { recursive: true })
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'))
  const [{ filename = '' } = {}] = JSON.parse(done(await run('npm', ['pack', '--json'], dir))) as { filename?: string }[]
  return {
    tarball: path.join(dir, filename),
    [Symbol.asyncDispose]: async () => { rmSync(dir, { recursive: true }) },
  }
}

/** Installs a tarball into a new app without a network: what it depends on is linked from here, optional peers if asked. */
export const install = async (tarball: string, { peers = true } = {}): Promise<App> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'breakwater-app-'))
  const modules = path.join(dir, 'node_modules')
  const installed = path.join(modules, manifest.name)
  mkdirSync(installed, { recursive: true })
  done(await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'], dir))
  const linked = [...Object.keys(manifest.dependencies), '@types/node', ...peers ? Object.keys(manifest.peerDependencies) : []]
  for (const name of linked) {
    mkdirSync(path.dirname(path.join(modules, name)), { recursive: true })
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name))
  }
  const write = (name: string, text: string): string => {
    const file = path.join(dir, name)
    writeFileSync(file, text)
    return file
  }
  write('package.json', '{ "private": true }')
  return {
    dir, installed, write,
    node: (...args) => run(process.execPath, args, dir),
    [Symbol.asyncDispose]: async () => { rmSync(dir, { recursive: true }) },
  }
}
