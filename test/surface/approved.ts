import { equal } from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** The root of the repository. */
export const ROOT = path.resolve(import.meta.dirname, '../..')

/** Reads a file of the repository. */
export const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

/**
 * Fails unless `file` holds `text`: a file that people review and this compares. `UPDATE=1` writes what is, to be looked
 * over and committed.
 */
export const approved = (file: string, text: string): void => {
  if (process.env['UPDATE'] === '1') writeFileSync(path.join(ROOT, file), text)
  const known = existsSync(path.join(ROOT, file)) ? read(file) : ''
  equal(text, known, `${file} is not what it says; if it should be so, run this test with UPDATE=1 and review the change`)
}

/** A table, as Markdown. */
export const markdown = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n')

/** Puts `text` between `<!-- name -->` and `<!-- /name -->`; the first may say which file it was taken from. */
export const between = (markdown: string, name: string, text: string): string => {
  const marked = new RegExp(`(<!-- ${name}(?: \\S+\\.json)? -->\n)[^]*?(<!-- /${name} -->)`)
  if (!marked.test(markdown)) throw new Error(`there is no place marked ${name}`)
  return markdown.replace(marked, (_, open: string, close: string) => `${open}${text}\n${close}`)
}
