import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** An option that names a module to preload, with its value unless that is a separate argument. */
const PRELOAD = /^(?:--import|--require|-r)(?:=(.*))?$/s

/** The words of NODE_OPTIONS, separated by spaces outside double quotes. */
const wordsOf = (text: string): string[] => [...text.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/gs)]
  .map(([word]) => word.replaceAll(/\\(.)|"/gs, '$1'))

const namedIn = (words: readonly string[]): string[] => words.flatMap((word, index) => {
  const found = PRELOAD.exec(word)
  return found === null ? [] : [found[1] ?? words[index + 1] ?? '']
})

/** The file that a specifier resolves to from the working directory, from which Node resolves it as well. */
const fileOf = (specifier: string): string | undefined => {
  try {
    if (specifier.startsWith('file:')) return fileURLToPath(specifier)
    return createRequire(join(process.cwd(), 'preload.js')).resolve(specifier)
  } catch {
    // Another module: it may be resolvable only by `import`, or only with hooks.
    return undefined
  }
}

/**
 * Whether the command line or NODE_OPTIONS preloads a module: by its name, or by any other specifier of its file.
 */
export function isPreloaded(name: string, url: string): boolean {
  const named = namedIn([...wordsOf(process.env['NODE_OPTIONS'] ?? ''), ...process.execArgv])
  return named.some(specifier => specifier === name || fileOf(specifier) === fileURLToPath(url))
}
