import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import ts from 'typescript'
import { anysIn } from './any.ts'
import { deadLinks } from './links.ts'
import { entries, install, manifest, pack, shipped, type App, type Ran } from './packed.ts'

/*
 * What is published, tried as those try it who install it: the tarball in an app of its own, every entry point in it
 * imported, required and compiled against.
 */

let tarball: string
let app: App
let bare: App
const made: AsyncDisposable[] = []
before(async () => {
  const packed = await pack()
  ;({ tarball } = packed)
  app = await install(packed.tarball)
  bare = await install(packed.tarball, { peers: false })
  made.push(packed, app, bare)
})
after(async () => { for (const each of made) await each[Symbol.asyncDispose]() })

const PEERS: Readonly<Record<string, string>> = { prometheus: 'prom-client', opentelemetry: '@opentelemetry/api' }
/** What an entry point cannot be loaded without. */
const peerOf = (entry: string): string | undefined => PEERS[entry.slice(`${manifest.name}/`.length)]

const IMPORT = 'const names = Object.keys(await import(process.argv[1])); console.log(JSON.stringify(names.sort()))'
const REQUIRE = 'console.log(JSON.stringify(Object.keys(require(process.argv[1])).sort()))'
const imported = (from: App, entry: string): Promise<Ran> => from.node('--input-type=module', '--eval', IMPORT, entry)
const required = (from: App, entry: string): Promise<Ran> => from.node('--input-type=commonjs', '--eval', REQUIRE, entry)

describe('every entry point', () => {
  test('is there', () => { ok(entries.length > 1 && entries.includes('breakwater'), String(entries)) })

  for (const entry of entries) {
    test(`${entry} can be imported and required, and gives the same`, async () => {
      const [esm, cjs] = [await imported(app, entry), await required(app, entry)]
      deepEqual({ code: esm.code, stderr: esm.stderr }, { code: 0, stderr: '' })
      ok((JSON.parse(esm.stdout) as string[]).length > 0, 'it exports something')
      deepEqual(cjs, esm)
    })

    const peer = peerOf(entry)
    test(`${entry} ${peer === undefined ? 'needs no optional peer' : `says that it needs ${peer}`}`, async () => {
      const { code, stderr } = await imported(bare, entry)
      if (peer === undefined) deepEqual({ code, stderr }, { code: 0, stderr: '' })
      else match(stderr, new RegExp(`Cannot find package '${peer}'`))
    })
  }

  test('breakwater/install installs itself if it is preloaded, and only then', async () => {
    const set = "console.log(globalThis[Symbol.for('undici.globalDispatcher.1')].constructor.name)"
    const way = ['--input-type=module', '--eval']
    const { stdout, stderr } = await app.node('--import', 'breakwater/install', ...way, set)
    deepEqual({ stdout, stderr }, { stdout: 'ClientDispatcher\n', stderr: '' })
    const plain = await app.node(...way, `import 'breakwater/install'; ${set}`)
    ok(plain.code === 0 && plain.stdout !== stdout, plain.stdout + plain.stderr)
  })

  test('is the same module, however it is loaded', async () => {
    const { stdout } = await app.node('--input-type=module', '--eval', `
      import { createRequire } from 'node:module'
      import { OptionError } from 'breakwater'
      console.log(createRequire(import.meta.url)('breakwater').OptionError === OptionError)`)
    equal(stdout, 'true\n')
  })
})

test('every optional peer is declared as optional', () => {
  deepEqual(Object.entries(manifest.peerDependenciesMeta).filter(([, { optional }]) => optional === true).map(([name]) => name),
    Object.keys(manifest.peerDependencies))
})

const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' })

test('nothing is published but what users need', () => {
  const files = filesIn(app.installed)
  const top = new Set(files.map(file => file.split(path.sep)[0]))
  deepEqual([...top].sort(), [...shipped, 'package.json'].sort())
  deepEqual(files.filter(file => file.startsWith('dist') && !/\.(d\.ts|js|js\.map)$/.test(file) && path.extname(file) !== ''), [])
  for (const target of Object.values(manifest.exports).flatMap(to => (typeof to === 'string' ? to : Object.values(to)))) {
    ok(existsSync(path.join(app.installed, target)), target)
  }
})

describe('the size of the package', () => {
  const MOST = { packed: 700_000, unpacked: 3_000_000 }

  test('is bounded', t => {
    const sizes = filesIn(app.installed).map(file => statSync(path.join(app.installed, file))).filter(stat => stat.isFile())
    const [packed, unpacked] = [statSync(tarball).size, sizes.reduce((sum, { size }) => sum + size, 0)]
    t.diagnostic(`${packed} bytes packed, ${unpacked} unpacked`)
    ok(packed <= MOST.packed, `${packed} bytes packed, at most ${MOST.packed}`)
    ok(unpacked <= MOST.unpacked, `${unpacked} bytes unpacked, at most ${MOST.unpacked}`)
  })
})

describe('the pages of the package', () => {
  test('link to nothing that is not shipped with them', () => {
    const pages = filesIn(app.installed).filter(file => file.endsWith('.md'))
    ok(pages.length > 20 && pages.includes('README.md'), `only ${pages.length} pages were looked at`)
    deepEqual(pages.flatMap(page => deadLinks(app.installed, page)), [])
  })

  test('would be found out if they did', () => {
    app.write('bad.md', [
      '[fine](package.json#a) [too](#b) [out](https://example.com) `[code](no.md)`', '```md', '[code](no.md)', '```',
      '[dead](docs/no.md#a) ![picture](no.svg) [outside](../package.json)', '<img alt="" src="no.png"> <a href="https://example.com">',
    ].join('\n'))
    deepEqual(deadLinks(app.dir, 'bad.md'), [
      'bad.md: docs/no.md#a', 'bad.md: no.svg', 'bad.md: ../package.json', 'bad.md: no.png',
    ])
  })
})

/** The program that TypeScript makes of files of the app, and all it has to say against it. */
const compiled = (files: readonly string[], options: ts.CompilerOptions): { program: ts.Program; problems: string[] } => {
  const program = ts.createProgram(files, {
    strict: true, noEmit: true, target: ts.ScriptTarget.ES2023, types: ['node'],
    typeRoots: [path.join(app.dir, 'node_modules/@types')], ...options,
  })
  const problems = ts.getPreEmitDiagnostics(program).map(({ code, messageText, file }) =>
    `${path.basename(file?.fileName ?? '')}: TS${code}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
  return { program, problems }
}

const names = (): string[] => entries.map((_, index) => `entry${index}`)
const uses = (): string => `
  const client: entry0.Client = entry0.createClient({ deadline: 1_000 })
  export const reply: Promise<entry0.Reply> = client.get('http://h')
  export const all: object[] = [${names().join(', ')}]`
const IMPORTS = (): string => entries.map((entry, index) => `import * as entry${index} from '${entry}'`).join('\n')

describe('a TypeScript app that is as strict as can be', () => {
  const strictest: ts.CompilerOptions = {
    exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noPropertyAccessFromIndexSignature: true,
  }
  const { NodeNext, Node16, Preserve } = ts.ModuleKind
  for (const extension of ['mts', 'cts']) {
    for (const module of [NodeNext, Node16, Preserve]) {
      // Since Node 22.12 CommonJS may require() a module. To TypeScript's `node16` it may not: there it has to import().
      const isOld = extension === 'cts' && module === Node16
      test(`compiles a .${extension} file with module ${ts.ModuleKind[module]}${isOld ? ' if it uses import()' : ''}`, () => {
        const moduleResolution = module === Preserve ? ts.ModuleResolutionKind.Bundler
          : module === Node16 ? ts.ModuleResolutionKind.Node16 : ts.ModuleResolutionKind.NodeNext
        const options = { ...strictest, module, moduleResolution }
        const plain = app.write(`plain${module}.${extension}`, IMPORTS() + uses())
        if (!isOld) {
          deepEqual(compiled([plain], options).problems, [])
          return
        }
        const complaints = compiled([plain], options).problems
        equal(complaints.length, entries.length)
        for (const complaint of complaints) match(complaint, /TS1479/)
        const imports = entries.map((entry, index) => `const entry${index} = await import('${entry}')`).join('\n')
        const late = app.write('late.cts', `
          import type { Client, Reply } from 'breakwater' with { 'resolution-mode': 'import' }
          export const use = async () => {
            ${imports}
            ${uses().replaceAll('export ', '').replaceAll('entry0.Client', 'Client').replaceAll('entry0.Reply', 'Reply')}
            return [reply, all]
          }`)
        deepEqual(compiled([late], options).problems, [])
      })
    }
  }
})

describe('the types that are published', () => {
  const strict: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, skipLibCheck: true,
  }

  test('hold no any, and nothing that comes to it', () => {
    const { program } = compiled([app.write('all.mts', IMPORTS() + uses())], strict)
    const ours = program.getSourceFiles().map(({ fileName }) => fileName).filter(isOurs)
    ok(ours.length > 20, `only ${ours.length} of our files were looked at`)
    deepEqual(anysIn(program, isOurs), [])
  })

  test('would not pass if they did', () => {
    const { program } = compiled([app.write('bad.d.mts', `
      import type { Missing } from 'nowhere'
      export declare const plain: any
      export interface Held { readonly list: readonly any[]; bare; fine: unknown }
      export declare const lost: Promise<Missing>
      export declare const come: ReturnType<typeof JSON.parse>
      export declare function nothing(x: string)
      export declare class Fine { #hidden; readonly name = 'x'; constructor(x: string) }`)], strict)
    const lines = anysIn(program, file => file.endsWith('bad.d.mts')).map(text => text.replace(/^.*?:\d+: /, ''))
    deepEqual(lines, [
      'any', 'any', 'bare;', 'Missing', 'ReturnType<typeof JSON.parse>', 'export declare function nothing(x: string)',
    ])
  })

  const isOurs = (file: string): boolean => file.startsWith(app.installed)
})
