import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

const SOURCE = pathToFileURL(path.resolve(import.meta.dirname, '../support/source.ts')).href

/** Lets `breakwater/install` be found by its name, and loads it before the program. */
export const PRELOADED = ['--import', SOURCE, '--import', 'breakwater/install']

/** How a program has ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  /** Arguments before the program. @default those that preload `breakwater/install` */
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Files to write beside the program, in its working directory. */
  files?: Readonly<Record<string, string>>
}

/** Runs a module as a program of its own, in a folder of its own, to its end; one that does not end is killed: code null. */
export const run = async (t: TestContext, program: string, running: Running = {}): Promise<Ended> => {
  const { args = PRELOADED, env = {}, files = {} } = running
  const folder = await mkdtemp(path.join(tmpdir(), 'breakwater-install-'))
  t.after(() => rm(folder, { recursive: true }))
  const all = { 'app.mjs': program, ...files }
  await Promise.all(Object.entries(all).map(([name, text]) => writeFile(path.join(folder, name), text)))
  return new Promise(resolve => {
    const options = { cwd: folder, env: { ...process.env, NODE_TEST_CONTEXT: '', ...env }, timeout: 15_000 }
    const child = execFile(process.execPath, [...args, 'app.mjs'], options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr })
    })
  })
}

/** What a program that ends well has printed, as JSON. */
export const printed = async (t: TestContext, program: string, running: Running = {}): Promise<unknown> => {
  const { code, stdout, stderr } = await run(t, program, running)
  if (code !== 0 || stderr !== '') throw new Error(`the program ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as unknown
}
