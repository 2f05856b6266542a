// Takes an upstream through an outage and a brown-out, and shows what becomes of the calls: `npm run demo -- --help`.
import { CommanderError } from 'commander'
import { main } from './main.ts'
import { readSettings, type Settings } from './options.ts'

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
if (given) process.exitCode = await main(given)
