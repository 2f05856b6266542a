import { readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

/** An option as `src/options.ts` documents it. */
export interface OptionDoc {
  /** E.g. `retry.budget.cost`. */
  readonly path: string
  readonly type: string
  readonly text: string
  /** What stands after `@default`. */
  readonly fallback: string | undefined
}

/** Which interface documents what: its name, and what stands before its members' names. */
const SECTIONS: readonly (readonly [name: string, prefix: string])[] = [
  ['ClientOptions', ''], ['NamedUpstreamOptions', ''], ['UpstreamOptions', ''], ['RetryOptions', 'retry.'],
  ['BudgetOptions', 'retry.budget.'], ['BreakerOptions', 'breaker.'], ['LimitOptions', 'limit.'], ['HedgeOptions', 'hedge.'],
  ['PoolOptions', 'pool.'], ['StaleOptions', 'stale.'],
]

const source = path.resolve(import.meta.dirname, '../../src/options.ts')
const joined = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** Reads what `src/options.ts` says of each option, in the order of its interfaces. */
export const optionDocs = (): Map<string, readonly OptionDoc[]> => {
  const file = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.ES2023, true)
  const interfaces = new Map(file.statements.filter(ts.isInterfaceDeclaration).map(found => [found.name.text, found]))
  return new Map(SECTIONS.map(([name, prefix]) =>
    [name, (interfaces.get(name)?.members ?? []).map(member => docOf(member, prefix, file))]))
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

/** The paths of all options, groups included. */
export const optionPaths = (): string[] => [...optionDocs().values()].flat().map(({ path: where }) => where)
