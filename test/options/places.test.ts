import { deepEqual, ok } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import ts from 'typescript'

/*
 * What a new option of one call costs. Nothing else depends on `priority`: everything but the layers that act on it is what any
 * such option needs.
 */

const SRC = path.resolve(import.meta.dirname, '../../src')
/** What acts on the priority of a call. */
const USERS = ['layers/limit.ts', 'upstream/limit/']
const MOST = 5

/** The lines of a source on which something has this name: a property, a variable, a parameter, or a string that names one. */
const linesNaming = (name: string, file: string, text: string): string[] => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
  const lines = new Set<number>()
  const visit = (node: ts.Node): void => {
    if ((ts.isIdentifier(node) || ts.isStringLiteral(node)) && node.text === name) {
      lines.add(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return [...lines].map(line => `${file}:${line}`)
}

const placesOf = (name: string): string[] => readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map(file => file.replaceAll(path.sep, '/'))
  .filter(file => file.endsWith('.ts') && !USERS.some(user => file.startsWith(user)))
  .flatMap(file => linesNaming(name, file, readFileSync(path.join(SRC, file), 'utf8')))

describe('an option of one call', () => {
  test(`is written in at most ${MOST} places, besides the layers that act on it`, () => {
    const places = placesOf('priority')
    ok(places.length > 0 && places.length <= MOST, `priority is named in ${places.length} places: ${places.join(', ')}`)
    const files = new Set(places.map(place => place.split(':')[0]))
    // Where a new one goes: its type for an upstream and for a call, its default, its check, and what a call is treated by.
    deepEqual([...files].sort(), [
      'call/settings.ts', 'options/call-options.ts', 'options/policy.ts', 'options/schema.ts', 'options/upstream-options.ts',
    ])
  })

  test('every way of naming one is counted', () => {
    for (const text of [
      'const { priority } = options', 'f({ priority: 1 })', "const NAMES = ['priority']", 'x.priority = 1', "x['priority']",
      'interface A { readonly priority?: string }', 'type A = Pick<B, \'priority\'>', 'function f(priority: string) {}',
    ]) deepEqual(linesNaming('priority', 'a.ts', `// priority\n${text}`), ['a.ts:2'], text)
    deepEqual(linesNaming('priority', 'a.ts', 'type Priority = 1 // priority'), [])
  })
})
