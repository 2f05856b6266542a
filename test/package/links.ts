import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Markdown's links and pictures, and those written as HTML. */
const TARGETS = /\]\(\s*<?([^)\s>]+)|<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/g
/** What a renderer shows as it is written. */
const CODE = /^(```|~~~)[^]*?^\1|`[^`\n]*`/gm

const isOutside = (target: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(target)

/** Relative links and pictures of a page in a folder that lead to no file of it, each as `page: target`. */
export const deadLinks = (folder: string, page: string): string[] => {
  const text = readFileSync(path.join(folder, page), 'utf8').replaceAll(CODE, '')
  return [...text.matchAll(TARGETS)].map(([, markdown, html]) => markdown ?? html ?? '')
    .filter(target => !isOutside(target) && !leadsSomewhere(folder, page, target))
    .map(target => `${page}: ${target}`)
}

/** A file or folder that is there, and beneath the folder: what lies outside is not shipped. */
const leadsSomewhere = (folder: string, page: string, target: string): boolean => {
  const [file = ''] = target.split('#')
  const found = path.resolve(folder, path.dirname(page), decodeURI(file === '' ? path.basename(page) : file))
  return found.startsWith(folder + path.sep) && existsSync(found)
}
