import { ok } from 'node:assert/strict'
import path from 'node:path'
import { describe, test } from 'node:test'
import ts from 'typescript'
import { approved, read, ROOT } from './approved.ts'

/*
 * The public surface as a text that people review: every exported name with its kind, and the names of its members. What
 * is not meant to be public shows up here as a change.
 */

const KINDS: readonly (readonly [flag: ts.SymbolFlags, kind: string])[] = [
  [ts.SymbolFlags.Class, 'class'], [ts.SymbolFlags.Function, 'function'], [ts.SymbolFlags.Variable, 'const'],
  [ts.SymbolFlags.Interface, 'interface'], [ts.SymbolFlags.TypeAlias, 'type'],
]

const kindOf = (symbol: ts.Symbol): string => {
  const kind = KINDS.find(([flag]) => (symbol.flags & flag) !== 0)?.[1] ?? 'unknown'
  const isAbstract = symbol.declarations?.some(node =>
    (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Abstract) !== 0)
  return isAbstract === true ? `abstract ${kind}` : kind
}

/** A class exported with `export type` can be named but not made. */
const isTypeOnly = (symbol: ts.Symbol): boolean => symbol.declarations?.some(node =>
  ts.isExportSpecifier(node) && (node.isTypeOnly || node.parent.parent.isTypeOnly)) === true

const isPublic = (member: ts.Symbol): boolean => {
  if (member.name.startsWith('#')) return false
  return !(member.declarations ?? []).some(node =>
    (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Protected) !== 0
    || ts.getJSDocTags(node).some(tag => tag.tagName.text === 'internal'))
}

const unnamedBasesOf = (type: ts.Type, checker: ts.TypeChecker): ts.Type[] => (type.isClassOrInterface()
  ? checker.getBaseTypes(type).filter(base => (base.symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) === 0) : [])

const surfaceOf = (exported: ts.Symbol, checker: ts.TypeChecker): string => {
  const symbol = (exported.flags & ts.SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported)
  // Its own members, those with computed names included; what is inherited stands where it is declared, unless that has no name
  // (`extends Required<Omit<…>>`).
  const type = checker.getDeclaredTypeOfSymbol(symbol)
  const unnamed = new Set(unnamedBasesOf(type, checker).flatMap(base => base.getProperties()).map(({ name }) => name))
  const own = type.getProperties().filter(member => unnamed.has(member.name)
    || member.declarations?.some(node => symbol.declarations?.includes(node.parent as ts.Declaration)))
  const members = own.filter(isPublic)
  const names = members.map(({ name, flags }) => {
    const text = name.startsWith('__@') ? `[Symbol.${name.slice(3).replace(/@\d+$/, '')}]` : name
    return `  ${text}${(flags & ts.SymbolFlags.Method) === 0 ? '' : '()'}${(flags & ts.SymbolFlags.Optional) === 0 ? '' : '?'}`
  })
  const kind = kindOf(symbol)
  const only = isTypeOnly(exported) && kind.endsWith('class') ? 'type of ' : ''
  return [`${only}${kind} ${exported.name}`, ...names.sort()].join('\n')
}

/** The entry points of the package, as `exports` names them, and where each begins. */
const entries = Object.keys((JSON.parse(read('package.json')) as { exports: Record<string, unknown> }).exports)
  .filter(name => !name.endsWith('.json'))
  .map(name => (name === '.' ? { entry: 'core', file: 'src/index.ts' } : { entry: name.slice(2), file: `src/${name.slice(2)}/index.ts` }))

const program = (): ts.Program => {
  const config = ts.getParsedCommandLineOfConfigFile(path.join(ROOT, 'tsconfig.build.json'), {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic({ messageText }) {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'))
    },
  })
  return ts.createProgram(entries.map(({ file }) => path.join(ROOT, file)), config?.options ?? {})
}

describe('the public surface is what has been reviewed', () => {
  const all = program()
  const checker = all.getTypeChecker()
  for (const { entry, file } of entries) {
    test(entry, () => {
      const module = checker.getSymbolAtLocation(all.getSourceFile(path.join(ROOT, file))!)
      ok(module, `${file} is a module`)
      const names = checker.getExportsOfModule(module).map(symbol => surfaceOf(symbol, checker))
      const byName = (text: string): string => text.replace(/^(type of )?(abstract )?\w+ /, '')
      approved(`test/surface/public-api/${entry}.txt`, `${names.sort((a, b) => byName(a) < byName(b) ? -1 : 1).join('\n')}\n`)
    })
  }
})
