import { CommanderError } from 'commander'

/**
 * Reads the settings of this process's command line; undefined when there is nothing to do but to exit, as after
 * `--help` or a bad argument, of which commander has told.
 */
export function fromCommandLine<T>(read: (args: readonly string[]) => T): T | undefined {
  try {
    return read(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode
    return undefined
  }
}
