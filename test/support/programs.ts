import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { listen } from './server.ts'

const DIRECTORIES = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']

/** Where a program is installed, if it is. */
export const findProgram = (name: string): string | undefined => DIRECTORIES.filter(Boolean).map(dir => join(dir, name))
  .find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** Why tests with this program cannot run here, for node:test's `skip`; false where they can. */
export const programMissing = (name: string, debian = name): string | false =>
  findProgram(name) === undefined && `${name} is not installed (on Debian: apt-get install ${debian})`

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const probe = createServer()
  const port = await listen(probe)
  await new Promise(resolve => { probe.close(resolve) })
  return port
}
