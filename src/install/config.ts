import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { OptionError } from '../outcome/errors.ts'
import type { ClientOptions } from '../options/client-options.ts'
import { refuse } from '../options/refuse.ts'

/** The environment variable that holds the options, or the path of a file that does. */
const VARIABLE = 'BREAKWATER_CONFIG'

/** Options, and where they stand. */
export interface Config {
  readonly options: ClientOptions
  /** The variable, or the path as it was given; undefined where the program gave the options itself. */
  readonly source: string | undefined
}

/** Reads the options that BREAKWATER_CONFIG holds or leads to; none if it is not set. @throws OptionError */
export function readConfig(): Config {
  const value = process.env[VARIABLE] ?? ''
  if (value === '') return { options: {}, source: VARIABLE }
  if (value.trimStart().startsWith('{')) return { options: parse(value, VARIABLE), source: VARIABLE }
  return { options: readFile(value), source: value }
}

/** Does something with the options of a config; an OptionError then says where they stand. */
export function checked<T>({ source }: Config, run: () => T): T {
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

/** Synchronous, as an `import()` would make a preload with `--require` impossible. */
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
    // V8 cites the text, in which there may be something secret.
    const why = (error as SyntaxError).message.replace(/, (?:\.\.\.)?"[^]*" is not valid JSON$/, '')
    throw new OptionError(source, why, 'JSON', `${source} is not valid JSON: ${why}`)
  }
}
