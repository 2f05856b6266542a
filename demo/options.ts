import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type OutageKind, outageKinds, parsePhases, type Span } from './phases.ts'
import type { Experiment } from './run.ts'

/** What the command line asks for. */
export interface Settings {
  readonly experiment: Experiment
  readonly check: boolean
  readonly json?: string
  readonly svg?: string
}

interface Given {
  rate: number
  deadline: number
  phases?: Span[]
  outage: OutageKind
  workers: number
  serviceTime: number
  url?: string
  short?: boolean
  check?: boolean
  json?: string
  svg?: string
}

const usual = 'health:5,outage:6,recovery:4,brown-out:6,recovery:5'
const short = 'health:1,outage:4,recovery:1.25,brown-out:2,recovery:1'
const alone = 'load:20'

/**
 * Reads the command line.
 *
 * @throws CommanderError for `--help` and for what cannot be understood; the text is written by then
 */
export function readSettings(args: readonly string[], quiet = false): Settings {
  const command = describe(quiet)
  command.parse([...args], { from: 'user' })
  const { phases, url, short: brief, check = false, json, svg, ...rest } = command.opts<Given>()
  const spans = phases ?? parsePhases(url !== undefined ? alone : brief ? short : usual)
  if (check && !spans.some((span, index) => span.name === 'outage' && spans[index + 1]?.name === 'recovery')) {
    command.error(`error: option '--check' needs an outage with a recovery right after it, such as ${usual}`)
  }
  return {
    experiment: { ...rest, spans, ...url !== undefined && { url } },
    check,
    ...json !== undefined && { json },
    ...svg !== undefined && { svg },
  }
}

function describe(quiet: boolean): Command {
  const command = new Command('npm run demo --')
    .description('Shows what a sick upstream does to a service, through bare undici and through breakwater.')
    .addOption(new Option('--rate <calls>', 'calls per second through each client')
      .default(700).argParser(whole(1, 20_000)))
    .addOption(new Option('--deadline <ms>', 'how long a caller waits').default(500).argParser(whole(10, 60_000)))
    .addOption(new Option('--phases <list>', `what happens, in seconds (default: "${usual}")`)
      .argParser(phases).conflicts('short'))
    .addOption(new Option('--outage <kind>', 'how the upstream fails in an outage').default('502').choices(outageKinds))
    .addOption(new Option('--workers <number>', 'workers of the upstream').default(20).argParser(whole(1, 10_000)))
    .addOption(new Option('--service-time <ms>', 'how long a worker takes').default(20).argParser(whole(1, 60_000)))
    .addOption(new Option('--url <url>', 'an upstream of your own: it gets the load of both clients, no more')
      .argParser(httpUrl).conflicts(['outage', 'workers', 'serviceTime', 'check', 'short']))
    .addOption(new Option('--short', 'about 9 seconds, for CI'))
    .addOption(new Option('--check', 'end with 1 unless breakwater keeps what is promised of an outage'))
    .addOption(new Option('--json <file>', 'write all that was measured').argParser(file))
    .addOption(new Option('--svg <file>', 'write a picture of goodput over time').argParser(file))
    .allowExcessArguments(false)
    .exitOverride()
  return quiet ? command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined }) : command
}

const whole = (least: number, most: number) => (text: string): number => {
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`)
}

function phases(text: string): Span[] {
  try {
    return parsePhases(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof RangeError ? `${error.message}.` : String(error))
  }
}

/** Thirty seconds are too long to wait for the news that a folder does not exist. */
function file(path: string): string {
  const folder = dirname(path)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return path
  throw new InvalidArgumentError(`Expected a file in a folder that exists, and ${folder} does not.`)
}

function httpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href
  throw new InvalidArgumentError('Expected an http or https URL, such as http://127.0.0.1:8080/health.')
}
