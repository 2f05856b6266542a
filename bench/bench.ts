// Measures breakwater beside bare undici and its peers: `npm run bench -- --help`.
import { CommanderError } from 'commander'
import { main } from './main.ts'
import { readSettings, type Settings } from './settings.ts'

function settings(): Settings | undefined {
  try {
    return readSettings(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode
    return undefined
  }
}

const given = settings()
if (given !== undefined) {
  try {
    process.exitCode = await main(given)
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
