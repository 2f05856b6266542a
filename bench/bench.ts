// Measures breakwater beside bare undici and its peers: `npm run bench -- --help`.
import { fromCommandLine } from '../demo/command-line.ts'
import { main } from './main.ts'
import { readSettings } from './settings.ts'

const given = fromCommandLine(readSettings)
if (given !== undefined) {
  try {
    process.exitCode = await main(given)
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
