import { deepEqual, equal, ok } from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import ts from 'typescript'
import { createClient } from '../../src/index.ts'
import { closing } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { startServer, status } from '../support/server.ts'
import { read, ROOT } from './approved.ts'

/*
 * What the documents say, tried: their code compiles, their links lead somewhere, their numbers and messages are real.
 */

const DOCUMENTS = ['README.md', 'examples/README.md',
  ...readdirSync(path.join(ROOT, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]

interface Snippet {
  /** Where it stands, as `README.md:12`. */
  readonly at: string
  readonly code: string
}

const snippetsOf = (document: string): Snippet[] =>
  [...read(document).matchAll(/^```ts\n([^]*?)^```$/gm)].map(({ index, 1: code = '' }) =>
    ({ at: `${document}:${read(document).slice(0, index).split('\n').length + 1}`, code }))

/** Compiles all snippets as modules of one program, against the source, and gives what is wrong with them. */
const problems = (snippets: readonly Snippet[]): string[] => {
  const config = ts.readConfigFile(path.join(ROOT, 'tsconfig.json'), file => ts.sys.readFile(file)).config as object
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT, {}, path.join(ROOT, 'tsconfig.json'))
  const files = new Map(snippets.map(({ at, code }, index) =>
    [path.join(ROOT, `snippet-${index}.ts`), { at, code: `${code}\nexport {}\n` }]))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = file => files.has(file) || fileExists(file)
  host.readFile = file => files.get(file)?.code ?? readFile(file)
  host.getSourceFile = (file, ...rest) => {
    const snippet = files.get(file)
    if (snippet === undefined) return getSourceFile(file, ...rest)
    return ts.createSourceFile(file, snippet.code, ts.ScriptTarget.ES2023, true)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files].flatMap(([file, { at }]) => {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(({ messageText, start }) => {
      const line = start === undefined || source === undefined ? 0 : source.getLineAndCharacterOfPosition(start).line
      return `${at} + ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  })
}

describe('the code in the documents', () => {
  const snippets = DOCUMENTS.flatMap(snippetsOf)

  test('compiles against the source', () => {
    ok(snippets.length >= 5, `only ${snippets.length} snippets were found`)
    deepEqual(problems(snippets), [])
  })

  test('would not pass if it were wrong', () => {
    const code = "import { createClient } from 'breakwater'\ncreateClient({ deadlin: 1 })"
    const [problem, ...more] = problems([{ at: 'here:1', code }])
    equal(more.length, 0)
    ok(problem?.startsWith('here:1 + 1: ') === true && problem.includes('deadlin'), problem)
  })
})

test('links between the documents lead somewhere', () => {
  const anchors = (document: string): string[] => [...read(document).matchAll(/^#+ (.*)$/gm)].map(({ 1: title = '' }) =>
    title.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
  for (const document of DOCUMENTS) {
    for (const [, link = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^\w+:/.test(link)) continue
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document : path.join(path.dirname(document), file)
      ok(existsSync(path.join(ROOT, target)), `${document}: ${link}`)
      if (anchor !== undefined) ok(anchors(target).includes(anchor), `${document}: ${link}`)
    }
  }
})

test('the README says where every page of docs/ is', () => {
  const [, index = ''] = read('README.md').split('## Documentation')
  deepEqual(DOCUMENTS.filter(page => page !== 'README.md' && !index.includes(`](${page})`)), [], 'add a row to its last table')
})

test('the error messages in the README are those of a real run', async t => {
  const server = await closing(t, startServer(status(502)))
  const client = await closing(t, createClient({ upstreams: { payments: { url: server.url } } }))
  const errors = [1, 2].map(() => () => failure(client.upstream('payments').get('/invoices/7'), Error))
  const real: string[] = []
  for (const next of errors) real.push(String((await next()).stack))
  const shown = /<!-- error -->\n```text\n([^]*?)```/.exec(read('README.md'))?.[1]?.trimEnd()
  // How long it took and when it will probe is another time each time.
  const timeless = (text: string): string => text.replaceAll(/[\d.]+ ms/g, '… ms')
  equal(timeless(shown ?? ''), timeless(real.join('\n')))
})

/** All numbers in a value, with those of ratios as percentages too; a number may be the name of a row. */
const numbersIn = (value: unknown): number[] => {
  if (typeof value === 'string') return /^[\d,]+$/.test(value) ? [Number(value.replaceAll(',', ''))] : []
  if (typeof value === 'number') return [value, value * 100]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

/** Numbers of a text that no number of the source gives when it is rounded as the text has it. */
const unfounded = (text: string, source: unknown): string[] => {
  const known = numbersIn(source)
  return [...text.matchAll(/\d[\d,]*(?:\.\d+)?/g)].map(([number]) => number.replaceAll(',', '')).filter(number => {
    const decimals = number.split('.')[1]?.length ?? 0
    return !known.some(value => value.toFixed(decimals) === number)
  })
}

describe('numbers in the documents', () => {
  test('marked as measured stand in the file they were taken from', () => {
    for (const document of DOCUMENTS) {
      const marked = read(document).matchAll(/<!-- (\w+) (\S+\.json) -->\n([^]*?)<!-- \/\1 -->/g)
      for (const [, name = '', file = '', text = ''] of marked) {
        deepEqual(unfounded(text, JSON.parse(read(file))), [], `${document}: ${name} and ${file} differ`)
      }
    }
  })

  test('are found to be wrong when they are', () => {
    const source = { name: '10,000', share: 0.9871, calls: [1_234], time: { p50: 0.3141 } }
    deepEqual(unfounded('98.7 % of 1,234 in 0.31 ms at 10,000, not 99 or 5', source), ['5'])
  })
})
