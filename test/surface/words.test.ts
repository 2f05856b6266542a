import { deepEqual, ok } from 'node:assert/strict'
import { globSync } from 'node:fs'
import { describe, test } from 'node:test'
import ts from 'typescript'
import { read, ROOT } from './approved.ts'

/*
 * Prose is plain technical English: a named subject instead of "somebody", a plain verb instead of "is told", the standard term
 * instead of a synonym (docs/words.md). Whatever is found here can be reworded, so there is no list of exceptions.
 */

/** Files with prose. Of a .ts file only the comments are read. */
const FILES = ['src/**/*.ts', 'README.md', 'docs/**/*.md', 'examples/**/*.{md,ts}', 'observability/*']

/** Phrases with no place in a technical text, and what to write instead. A space matches any white space. */
const BANNED: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/(?:some|any|every|no)(?:body|one)|no one|whoever|whomever/, 'the caller, the client, the upstream, ...'],
  [/(?:a|the) (?:person|man) who|(?:the one|the ones|those|he|they) who/, 'the caller, the client, the upstream, ...'],
  [/(?:one|ones) that|one which/, 'repeat the noun'],
  [/(?:is|are|was|were|be|been) (?:not )?told|told (?:of|as|about|apart)|tells? of|tells? that/, 'report, show, distinguish'],
  [/hears?(?: of| from)?|heard of/, 'record, receive, is called with'],
  [/of late|lately/, 'recent, recently'],
  [/by and by/, 'gradually'],
  [/now and then/, 'sometimes, at intervals'],
  [/anew/, 'again'],
  [/for ever/, 'forever'],
  [/in vain/, 'wasted'],
  [/to the letter/, 'exactly'],
  [/(?:bad|good|better|worse|busier) (?:days?|minutes?)|(?:'s|’s) (?:hour|finest)/, 'outage, failure, the name of the condition'],
  [/three in the morning|3 a\.?m\.?|first call at night/, 'say what the section is about'],
  [/ill(?!-)|sick|unwell/, 'unhealthy, failing'],
  [/(?:is|are|was|ends?|ended|comes?|came|coming) (?:back )?well(?=[.,;:)]|\s+(?:and|or|again|while|when|if|but)\b)/, 'healthy, succeeds'],
  [/well again|a well (?:one|upstream)/, 'healthy'],
  [/mends?|mended/, 'fix, repair'],
  [/time-outs?/, 'timeout'],
  [/(?:own|dispatcher's|caller's|its) affair/, 'responsibility'],
  [/has the word|good-bye|nothing for it/, 'a plain verb'],
  [/if (?:it is |that is )?wanted|until it is asked for/, 'if enabled, if configured'],
  [/unless told otherwise|as (?:it is )?told/, 'by default, by script'],
  [/it so happens|as it were|so to speak|needless to say/, 'nothing'],
]

/** Blanks a part of a text, but keeps its lines, so that what is found later has the right number. */
const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ')

/** Without code, and without what is written elsewhere: output of programs, and parts that tests generate from the source. */
function proseOfMarkdown(text: string): string {
  return text
    .replaceAll(/<!-- (\S+)(?: \S+)? -->\n[^]*?<!-- \/\1 -->/g, blank)
    .replaceAll(/^```(?:text|json)\n[^]*?^```$/gm, blank)
    .replaceAll(/`[^`\n]+`/g, blank)
}

/** The comments of a program, without their stars and slashes. */
function proseOfTypeScript(text: string): string {
  const file = ts.createSourceFile('prose.ts', text, ts.ScriptTarget.ES2023, true)
  const comments = new Map<number, number>()
  const visit = (node: ts.Node): void => {
    // It is part of a comment already.
    if (ts.isJSDoc(node)) return
    const ranges = [...ts.getLeadingCommentRanges(text, node.pos) ?? [], ...ts.getTrailingCommentRanges(text, node.end) ?? []]
    for (const { pos, end } of ranges) comments.set(pos, end)
    node.getChildren(file).forEach(visit)
  }
  visit(file)
  let prose = ''
  for (const [pos, end] of [...comments].toSorted(([a], [b]) => a - b)) {
    prose += blank(text.slice(prose.length, pos)) + text.slice(pos, end)
  }
  return prose.replaceAll(/^ *(?:\/\*+|\*+\/?)|\/\/|\*\/$/gm, blank).replaceAll(/`[^`\n]+`/g, blank)
}

const proseOf = (file: string, text: string): string =>
  file.endsWith('.md') ? proseOfMarkdown(text) : file.endsWith('.ts') ? proseOfTypeScript(text) : text

/** Every banned phrase in a text, as `README.md:12: somebody (write: the caller, ...)`. */
function offences(file: string, text: string): string[] {
  const prose = proseOf(file, text)
  return BANNED.flatMap(([phrase, instead]) => {
    const pattern = new RegExp(`\\b(?:${phrase.source.replaceAll(' ', '\\s+')})\\b`, 'gi')
    return [...prose.matchAll(pattern)].map(({ 0: found, index }) =>
      `${file}:${prose.slice(0, index).split('\n').length}: ${found.replaceAll(/\s+/g, ' ')} (write: ${instead})`)
  })
}

describe('the prose', () => {
  const files = globSync(FILES, { cwd: ROOT }).toSorted()

  test('is found', () => {
    ok(files.length > 30, files.join())
  })

  for (const file of files) {
    test(`${file} is plain English`, () => {
      deepEqual(offences(file, read(file)), [])
    })
  }
})

describe('a banned phrase', () => {
  const found = (file: string, text: string): string[] => offences(file, text).map(offence => offence.split(' (')[0] ?? '')

  test('is found in Markdown, across lines, but not in code, output or generated parts', () => {
    const text = 'It is one\nthat `nobody` knows.\n```text\nsomebody\n```\n<!-- x -->\nof late\n<!-- /x -->\nOf late, whoever.\n'
    deepEqual(found('a.md', text), ['a.md:9: whoever', 'a.md:1: one that', 'a.md:9: Of late'])
  })

  test('is found in comments of TypeScript, across lines, but not in code', () => {
    const text = '/**\n * It is one\n * that\n */\nconst somebody = `// nobody ${1}` // whoever\n\nf(() => {\n  // in vain\n})\n'
    deepEqual(found('a.ts', text), ['a.ts:5: whoever', 'a.ts:2: one that', 'a.ts:8: in vain'])
  })

  test('is found anywhere in other files', () => {
    deepEqual(found('a.yml', 'summary: "Somebody is told"'), ['a.yml:1: Somebody', 'a.yml:1: is told'])
  })
})
