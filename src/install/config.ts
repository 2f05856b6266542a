import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { OptionError } from '../outcome/errors.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { refuse } from '../options/refuse.ts'

/** The environment variable that holds the options, or the path of a file with the options. */
const VARIABLE = 'BREAKWATER_CONFIG'

/** Options and their source. */
export interface Config {
  readonly options: ClientOptions
  /** The variable, or the path as given; undefined if the program passed the options itself. */
  readonly source: string | undefined
}

/** Reads the options from BREAKWATER_CONFIG, or from the file it names; no options if it is not set. @throws OptionError */
export function readConfig(): Config {
  const value = process.env[VARIABLE] ?? ''
  if (value === '') return { options: {}, source: VARIABLE }
  if (value.trimStart().startsWith('{')) return { options: parse(value, VARIABLE), source: VARIABLE }
  return { options: readFile(value), source: value }
}

/** Runs a function that checks the options; an OptionError then names their source. */
export function withSource<T>({ source }: Config, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (source === undefined || !(error instanceof OptionError)) throw error
    throw new OptionError(`${source}: ${error.option}`, error.given, error.expected, `${source}: ${error.message}`)
  }
}

function readFile(path: string): ClientOptions {
  const file = resolve(path)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isFile() !== true) {
    throw new OptionError(VARIABLE, file, 'JSON or the path of a file', `\`${VARIABLE}\` is neither JSON nor the path of a file: ${file}`)
  }
  if (extname(file) === '.json') return parse(readFileSync(file, 'utf8'), path)
  if (/^\.[cm]?[jt]s$/.test(extname(file))) return exportedBy(file, path)
  return refuse(VARIABLE, path, 'the path of a file that ends in .json, .js, .mjs, .cjs, .ts, .mts or .cts')
}

/** Loads a module synchronously: with `import()`, a preload with `--require` would be impossible. */
function exportedBy(file: string, path: string): ClientOptions {
  const { options } = createRequire(import.meta.url)(file) as { readonly options?: ClientOptions }
  if (options === undefined) {
    throw new OptionError(path, 'a module without', 'a module that exports `options`', `${path} does not export \`options\``)
  }
  return options
}

function parse(text: string, source: string): ClientOptions {
  try {
    return JSON.parse(text) as ClientOptions
  } catch (error) {
    // V8's message quotes the text, which may contain a secret.
    const why = (error as SyntaxError).message.replace(/, (?:\.\.\.)?"[^]*" is not valid JSON$/, '')
    throw new OptionError(source, why, 'JSON', `${source} is not valid JSON: ${why}`)
  }
}
