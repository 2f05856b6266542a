import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** An option that names a module to load before the program, and its value, if that is not an argument of its own. */
const PRELOAD = /^(?:--import|--require|-r)(?:=(.*))?$/s

/** The words of NODE_OPTIONS: set apart by spaces, but for those between double quotes. */
const wordsOf = (text: string): string[] => [...text.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/gs)]
  .map(([word]) => word.replaceAll(/\\(.)|"/gs, '$1'))

const namedIn = (words: readonly string[]): string[] => words.flatMap((word, index) => {
  const found = PRELOAD.exec(word)
  return found === null ? [] : [found[1] ?? words[index + 1] ?? '']
})

/** The file a specifier leads to from the working directory, where Node begins to look too. */
const fileOf = (specifier: string): string | undefined => {
  try {
    if (specifier.startsWith('file:')) return fileURLToPath(specifier)
    return createRequire(join(process.cwd(), 'preload.js')).resolve(specifier)
  } catch {
    // Somebody else's: it may be for `import` alone, or be made by hooks.
    return undefined
  }
}

/**
 * Whether the command line or NODE_OPTIONS has asked for a module to be loaded before the program: by its name, or by any
 * other way to its file.
 */
export function isPreloaded(name: string, url: string): boolean {
  const named = namedIn([...wordsOf(process.env['NODE_OPTIONS'] ?? ''), ...process.execArgv])
  return named.some(specifier => specifier === name || fileOf(specifier) === fileURLToPath(url))
}
