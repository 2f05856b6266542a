import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

/** An option as its source documents it. */
export interface OptionDoc {
  /** E.g. `retry.budget.cost`. */
  readonly path: string
  readonly type: string
  readonly text: string
  /** What stands after `@default`. */
  readonly fallback: string | undefined
}

/** Which interface documents what: its name, and what stands before its members' names. */
type Sections = readonly (readonly [name: string, prefix: string])[]

const SECTIONS: Sections = [
  ['ClientOptions', ''], ['NamedUpstreamOptions', ''], ['UpstreamOptions', ''], ['RetryOptions', 'retry.'],
  ['BudgetOptions', 'retry.budget.'], ['BreakerOptions', 'breaker.'], ['LimitOptions', 'limit.'], ['HedgeOptions', 'hedge.'],
  ['PoolOptions', 'pool.'], ['StaleOptions', 'stale.'],
]

/** What one call takes. */
export const CALL_SECTIONS: Sections = [['CallOptions', '']]

const SRC = path.resolve(import.meta.dirname, '../../src')
const joined = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** The pages that say what a caller writes. */
const PAGES = readdirSync(path.join(SRC, 'options')).filter(name => name.endsWith('-options.ts')).map(name => `options/${name}`)

/** Reads what files in `src` say of each option, in the order of the sections. @throws Error when one is missing */
export const optionDocs = (
  pages: readonly string[] = PAGES, sections: Sections = SECTIONS,
): Map<string, readonly OptionDoc[]> => {
  const interfaces = new Map(pages.flatMap(interfacesOf).map(found => [found.name.text, found]))
  return new Map(sections.map(([section, prefix]) => {
    const found = interfaces.get(section)
    if (found === undefined) throw new Error(`no interface ${section} in ${pages.join(', ')}`)
    return [section, found.members.map(member => docOf(member, prefix, found.getSourceFile()))]
  }))
}

const interfacesOf = (page: string): ts.InterfaceDeclaration[] => {
  const source = path.join(SRC, page)
  const file = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.ES2023, true)
  return file.statements.filter(ts.isInterfaceDeclaration)
}

const docOf = (member: ts.TypeElement, prefix: string, file: ts.SourceFile): OptionDoc => {
  const [comment] = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc)
  const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default')
  const fallback = tag && ts.getTextOfJSDocComment(tag.comment)
  const type = ts.isPropertySignature(member) ? member.type?.getText(file) : undefined
  return {
    path: prefix + (member.name?.getText(file) ?? '?'),
    type: joined(type ?? ''),
    text: joined(ts.getTextOfJSDocComment(comment?.comment) ?? ''),
    fallback: fallback === undefined ? undefined : joined(fallback),
  }
}

/** The value a default begins with, when it is one and not words. */
export const literalOf = (fallback: string): unknown => {
  const text = /^(\[[^\]]*\]|\{\}|'[^']*'|true|false|-?\d[\d.]*|Infinity)/.exec(fallback)?.[0]
  if (text === undefined) return undefined
  return text === 'Infinity' ? Infinity : JSON.parse(text.replaceAll("'", '"')) as unknown
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** The options of one interface as a table. */
export const table = (options: readonly OptionDoc[]): string => [
  '| option | default | what it does |',
  '|---|---|---|',
  ...options.map(({ path: where, fallback, text }) => `| \`${where}\` | ${cell(fallback ?? '')} | ${cell(text)} |`),
].join('\n')

/** The paths of all options, groups included. */
export const optionPaths = (): string[] => [...optionDocs().values()].flat().map(({ path: where }) => where)
