// Takes an upstream through an outage and a brown-out, and shows what becomes of the calls: `npm run demo -- --help`.
import { fromCommandLine } from './command-line.ts'
import { main } from './main.ts'
import { readSettings } from './options.ts'

const given = fromCommandLine(readSettings)
if (given) process.exitCode = await main(given)
