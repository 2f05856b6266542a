import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { PARTS, type PartName } from './part-names.ts'

/** What the command line asks for. */
export interface Settings {
  readonly parts: readonly PartName[]
  /** As quick as possible: shows that it runs, measures nothing worth telling. */
  readonly short: boolean
  /** Scenarios through the client under test alone. */
  readonly own: boolean
  /** In place of each part's own number. */
  readonly rounds?: number
  readonly json?: string
  readonly html?: string
  /** A folder. */
  readonly svg?: string
}

interface Given {
  readonly short?: boolean
  readonly own?: boolean
  readonly rounds?: number
  readonly json?: string
  readonly html?: string
  /** A folder. */
  readonly svg?: string
}

/**
 * Reads the command line.
 *
 * @throws CommanderError for `--help` and for what cannot be understood; the text is written by then
 */
export function readSettings(args: readonly string[]): Settings {
  const command = new Command('npm run bench --')
    .description('Measures breakwater beside bare undici and its peers; everything takes about three quarters of an hour.')
    .addArgument(new Argument('[parts...]', 'which parts (default: all); scenarios include harm').choices(PARTS))
    .addOption(new Option('--short', 'under a minute, for CI: shows that it runs, its figures mean nothing'))
    .addOption(new Option('--rounds <number>', 'rounds, of which medians are taken; of scenarios and fleets the worst figures')
      .argParser(positive))
    .addOption(new Option('--own', 'scenarios through breakwater alone'))
    .addOption(new Option('--json <file>', 'write every figure').argParser(file))
    .addOption(new Option('--html <file>', 'write a page with charts').argParser(file))
    .addOption(new Option('--svg <folder>', 'write the pictures of the scenarios and of the fleet').argParser(folder))
    .exitOverride()
  command.parse([...args], { from: 'user' })
  const { short = false, own = false, ...rest } = command.opts<Given>()
  const named = command.args as readonly PartName[]
  return { ...rest, short, own, parts: PARTS.filter(part => isAsked(part, named)) }
}

/** The scenarios are those of what protection is for and those of what harm it does; the latter can be had alone. */
const isAsked = (part: PartName, named: readonly PartName[]): boolean =>
  named.length === 0 || named.includes(part) || (part === 'harm' && named.includes('scenarios'))

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a whole number, at least 1.')
}

function folder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  throw new InvalidArgumentError('Expected a folder that exists.')
}

/** Half an hour is too long to wait for the news that a folder does not exist. */
function file(path: string): string {
  if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) return path
  throw new InvalidArgumentError(`Expected a file in a folder that exists, and ${dirname(path)} does not.`)
}
