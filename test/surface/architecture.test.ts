import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import ts from 'typescript'

/*
 * The architecture, as tests: who may import whom, who may touch time, and how long a page may be.
 * Every rule is a function from sources to complaints, so that each is also shown to catch an offender.
 */

/** The order of the house, from the top down. A room may import those after it, never one before it. */
const ROOMS = [
  // Entry points of their own: they import the core, which knows nothing of them.
  'gateway', 'install', 'server', 'testing', 'prometheus', 'opentelemetry', 'telemetry',
  'index.ts', 'client', 'pipeline.ts', 'layers', 'upstream', 'transport',
  'call', 'options', 'http', 'events.ts', 'outcome', 'clock.ts',
] as const

/** The one place each third-party package may be imported from. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  'undici': ['transport/'],
  // A circuit shown as an opossum breaker, and its counts.
  'opossum': ['upstream/circuit/opossum-view.ts', 'upstream/circuit/opossum-status.ts'],
  'p-retry': ['layers/retry/retry.ts'],
  // The upstreams, of which some must stay, and the stale replies, bounded in bytes: two caches, one idea each.
  'lru-cache': ['upstream/dynamic-upstreams.ts', 'layers/stale/cache.ts'],
  // Optional peers, each for one entry point.
  '@opentelemetry/api': ['opentelemetry/'],
  'prom-client': ['prometheus/'],
}

/** The only files that may know the time or throw the dice; a clock moved by hand lets the event loop turn in between. */
const CLOCK = ['clock.ts', 'testing/manual-clock.ts']
const TIME_GLOBALS = ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance']
const TIME_MEMBERS = ['Math.random', 'process.hrtime', 'AbortSignal.timeout']
/** Sums over their arguments alone, which an HTTP date is read with. */
const TIMELESS_MEMBERS = ['Date.parse', 'Date.UTC']
const TIME_MODULES = ['node:timers', 'node:timers/promises', 'node:perf_hooks']

/** The only files that may hold a default. */
const OPTIONS = ['options/', 'telemetry/options.ts', 'gateway/options.ts', 'server/options.ts']

/** What decides: synchronous, without packages, timers or I/O. */
const PURE = [
  'http/', 'outcome/verdict.ts', 'outcome/stand-in.ts', 'upstream/limit/', 'upstream/latency/', 'upstream/retry-budget.ts',
  'upstream/circuit/trip.ts', 'upstream/circuit/window.ts', 'upstream/circuit/ramp.ts',
  'upstream/circuit/retry-after-hold.ts', 'upstream/circuit/retry-after-holds.ts', 'upstream/circuit/open-time.ts',
  'upstream/circuit/healthy-routes.ts',
  'layers/retry/backoff.ts',
]
/** The types of bodies, one of which is a stream. */
const NOT_PURE = ['http/body.ts']

const MAX_LINES = 250
const MAX_MEDIAN_LINES = 90

/** File name, relative to `src`, to its text. */
type Sources = ReadonlyMap<string, string>

interface Import {
  readonly from: string
  readonly line: number
  readonly specifier: string
  /** The file in `src` it names, or undefined when it names something else. */
  readonly target: string | undefined
}

const isIn = (file: string, names: readonly string[]): boolean =>
  names.some(name => name.endsWith('/') ? file.startsWith(name) : file === name)

const roomOf = (file: string): string => file.split('/', 1)[0] ?? file
const rankOf = (file: string): number => ROOMS.findIndex(room => room === roomOf(file))
const folderOf = (file: string): string => path.posix.dirname(file)

const packageOf = (specifier: string): string => {
  const [scope = '', name = ''] = specifier.split('/')
  return scope.startsWith('@') ? `${scope}/${name}` : scope
}

const isOutside = (specifier: string): boolean => !specifier.startsWith('.') && !specifier.startsWith('/')
const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:')

const parsed = new Map<string, ts.SourceFile>()
const parse = (file: string, text: string): ts.SourceFile => {
  const key = `${file}\0${text}`
  const known = parsed.get(key) ?? ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)
  parsed.set(key, known)
  return known
}

const lineAt = (node: ts.Node): number => {
  const source = node.getSourceFile()
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

/** What `find` sees at each node of each file, as `file:line: complaint`. */
const search = (sources: Sources, find: (node: ts.Node, file: string) => string | undefined): string[] => {
  const found: string[] = []
  for (const [file, text] of sources) {
    const source = parse(file, text)
    const visit = (node: ts.Node): void => {
      const complaint = find(node, file)
      if (complaint !== undefined) found.push(`${file}:${lineAt(node)}: ${complaint}`)
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return found
}

/** The module a node names: static, dynamic and type imports, re-exports and require alike. */
const specifierAt = (node: ts.Node): string | undefined => {
  const text = (name: ts.Node | undefined): string | undefined =>
    name && ts.isStringLiteralLike(name) ? name.text : undefined
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return text(node.moduleSpecifier)
  if (ts.isExternalModuleReference(node)) return text(node.expression)
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return text(node.argument.literal)
  if (!ts.isCallExpression(node)) return undefined
  const loads = node.expression.kind === ts.SyntaxKind.ImportKeyword
    || /^(require|process\.getBuiltinModule)$/.test(node.expression.getText())
  return loads ? text(node.arguments[0]) : undefined
}

const importsOf = (sources: Sources): Import[] => {
  const imports: Import[] = []
  search(sources, (node, from) => {
    const specifier = specifierAt(node)
    if (specifier === undefined) return undefined
    const joined = path.posix.join(path.posix.dirname(from), specifier)
    imports.push({ from, line: lineAt(node), specifier, target: isOutside(specifier) ? undefined : joined })
    return undefined
  })
  return imports
}

const at = ({ from, line }: Import, complaint: string): string => `${from}:${line}: ${complaint}`

const rules = {
  'every file is in a room'(sources: Sources): string[] {
    return [...sources.keys()].filter(file => rankOf(file) < 0).map(file => `${file}: put it into one of ROOMS`)
  },

  'every relative import names a file in src'(sources: Sources): string[] {
    return importsOf(sources)
      .filter(({ target }) => target !== undefined && !sources.has(target))
      .map(found => at(found, `no such file: ${found.specifier}`))
  },

  'imports point down'(sources: Sources): string[] {
    return importsOf(sources).flatMap(found => {
      const own = rankOf(found.from)
      const other = found.target === undefined ? own : rankOf(found.target)
      return own >= 0 && other < own ? [at(found, `${roomOf(found.from)} imports ${found.specifier}, which stands above it`)] : []
    })
  },

  'no two folders import each other'(sources: Sources): string[] {
    const between = importsOf(sources).flatMap(found => {
      const to = found.target === undefined ? undefined : folderOf(found.target)
      return to === undefined || to === '.' || folderOf(found.from) === '.' || to === folderOf(found.from) ? [] : [{ found, to }]
    })
    const edges = new Set(between.map(({ found, to }) => `${folderOf(found.from)} ${to}`))
    return between.filter(({ found, to }) => edges.has(`${to} ${folderOf(found.from)}`))
      .map(({ found, to }) => at(found, `${folderOf(found.from)} and ${to} import each other`))
  },

  'no import cycles'(sources: Sources): string[] {
    const edges = new Map<string, string[]>()
    for (const { from, target } of importsOf(sources)) {
      if (target !== undefined) edges.set(from, [...edges.get(from) ?? [], target])
    }
    const cycles = new Set<string>()
    const done = new Set<string>()
    const walk = (file: string, trail: readonly string[]): void => {
      const start = trail.indexOf(file)
      if (start >= 0) {
        cycles.add([...trail.slice(start), file].join(' → '))
        return
      }
      if (done.has(file)) return
      for (const next of edges.get(file) ?? []) walk(next, [...trail, file])
      done.add(file)
    }
    for (const file of sources.keys()) walk(file, [])
    return [...cycles]
  },

  'no layer imports another'(sources: Sources): string[] {
    const layerOf = (file: string): string | undefined => /^layers\/([^/.]+)/.exec(file)?.[1]
    return importsOf(sources).flatMap(found => {
      const [own, other] = [layerOf(found.from), found.target === undefined ? undefined : layerOf(found.target)]
      return own !== undefined && other !== undefined && other !== own ? [at(found, `imports the layer ${other}`)] : []
    })
  },

  'a third-party package is imported by its owner only'(sources: Sources): string[] {
    return importsOf(sources).flatMap(found => {
      if (!isOutside(found.specifier) || isBuiltin(found.specifier)) return []
      const owners = OWNERS[packageOf(found.specifier)]
      if (owners === undefined) return [at(found, `${found.specifier} has no owner (a builtin is written node:...)`)]
      return isIn(found.from, owners) ? [] : [at(found, `${found.specifier} belongs to ${owners.join(' or ')}`)]
    })
  },

  'only the clock touches time and chance'(sources: Sources): string[] {
    return search(sources, (node, file) => {
      if (isIn(file, CLOCK)) return undefined
      const specifier = specifierAt(node)
      if (specifier !== undefined && TIME_MODULES.includes(specifier)) return `imports ${specifier}`
      if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
        const member = memberName(node)
        if (TIME_MEMBERS.includes(member)) return `uses ${member}`
        return TIME_GLOBALS.some(name => member === `globalThis.${name}`) ? `uses ${member}` : undefined
      }
      if (!isGlobalUse(node) || !TIME_GLOBALS.includes(node.text)) return undefined
      const timeless = ts.isPropertyAccessExpression(node.parent) && TIMELESS_MEMBERS.includes(memberName(node.parent))
      return timeless ? undefined : `uses ${node.text}`
    })
  },

  'only the options hold a default'(sources: Sources): string[] {
    return search(sources, (node, file) => {
      if (isIn(file, OPTIONS)) return undefined
      if (ts.isVariableDeclaration(node) && /^defaults?(?![a-z])/i.test(node.name.getText())) {
        return `declares ${node.name.getText()}`
      }
      if (ts.isBinaryExpression(node) && /^(\?\?|\|\|)=?$/.test(node.operatorToken.getText())) {
        return isOption(node.left) && isConstant(node.right) ? `defaults ${node.left.getText()}` : undefined
      }
      if (ts.isBindingElement(node) && node.initializer && isConstant(node.initializer)) {
        const from = node.parent.parent
        if (ts.isBindingElement(from)) return undefined
        const origin = [from.initializer, from.type].map(part => part?.getText() ?? '')
        return origin.some(text => OPTIONS_NAME.test(text)) ? `defaults ${node.name.getText()}` : undefined
      }
      return undefined
    })
  },

  'what decides is pure: it imports no package, waits for nothing, does no I/O'(sources: Sources): string[] {
    const deciding = new Map([...sources].filter(([file]) => isIn(file, PURE) && !isIn(file, NOT_PURE)))
    const imports = importsOf(deciding).filter(({ specifier }) => isOutside(specifier))
    return [
      ...imports.map(found => at(found, `imports ${found.specifier}`)),
      ...search(deciding, node => {
        if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) return 'is asynchronous'
        const impure = ['Promise', 'queueMicrotask', 'fetch', 'process', 'console', 'AbortSignal', 'AbortController']
        return isGlobalUse(node) && impure.includes(node.text) ? `uses ${node.text}` : undefined
      }),
    ]
  },

  [`no file is longer than ${MAX_LINES} lines`](sources: Sources): string[] {
    return [...sources]
      .filter(([, text]) => linesOf(text) > MAX_LINES)
      .map(([file, text]) => `${file}: ${linesOf(text)} lines`)
  },

  [`the median file is at most ${MAX_MEDIAN_LINES} lines`](sources: Sources): string[] {
    const lines = [...sources.values()].map(linesOf).sort((a, b) => a - b)
    const median = lines[Math.floor((lines.length - 1) / 2)] ?? 0
    return median > MAX_MEDIAN_LINES ? [`the median is ${median} lines`] : []
  },
}

const OPTIONS_NAME = /(options|opts|config|settings)\b/i
const linesOf = (text: string): number => text.replace(/\n$/, '').split('\n').length

/** An identifier that is read as a value: not a member's name, a key, a declaration or a type. */
function isGlobalUse(node: ts.Node): node is ts.Identifier {
  if (!ts.isIdentifier(node)) return false
  const { parent } = node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isExpressionWithTypeArguments(parent)) return true
  if (ts.isFunctionLike(parent)) return ts.isArrowFunction(parent) && parent.body === node
  if (ts.isParameter(parent) || ts.isBindingElement(parent) || ts.isPropertyDeclaration(parent)) {
    return parent.initializer === node
  }
  if (ts.isTemplateSpan(parent) || ts.isSpreadAssignment(parent) || ts.isComputedPropertyName(parent)) return true
  return !ts.isClassLike(parent) && (ts.isExpression(parent) || ts.isStatement(parent))
}

/** `Math.random`, also when written `Math['random']` or `globalThis.Math.random`. */
function memberName(node: ts.PropertyAccessExpression | ts.ElementAccessExpression): string {
  const name = ts.isPropertyAccessExpression(node) ? node.name.text : node.argumentExpression.getText().slice(1, -1)
  return `${node.expression.getText().replace(/^globalThis\./, '')}.${name}`
}

/** `options.x`, `this.#options.x.y`, `settings?.x`. */
function isOption(node: ts.Expression): boolean {
  return (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node))
    && OPTIONS_NAME.test(node.expression.getText())
}

/** A number, a text or a boolean written out; not an empty one, which says "none". */
function isConstant(node: ts.Expression): boolean {
  const text = node.getText()
  return /^-?[\d.][\d_.e]*$/i.test(text) || /^(true|false)$/.test(text) || /^(['"`]).+\1$/.test(text)
}

const readSources = (): Sources => {
  const root = path.resolve(import.meta.dirname, '../../src')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map(file => file.replaceAll(path.sep, '/'))
    .filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  return new Map(files.sort().map(file => [file, readFileSync(path.join(root, file), 'utf8')]))
}

type Offender = readonly [world: Readonly<Record<string, string>>, complaint: RegExp]

/** For each rule, small worlds that break it, and what the complaint must name. */
const OFFENDERS: Record<keyof typeof rules, readonly Offender[]> = {
  'every file is in a room': [[{ 'utils.ts': '' }, /^utils\.ts/], [{ 'helpers/text.ts': '' }, /^helpers\/text\.ts/]],
  'every relative import names a file in src': [
    [{ 'call/call.ts': "import './reply.js'", 'call/reply.ts': '' }, /reply\.js/],
    [{ 'call/call.ts': "import pkg from '../../package.json' with { type: 'json' }" }, /package\.json/],
  ],
  'imports point down': ROOMS.slice(1).map((room, index) => {
    const [lower, upper] = [room, ROOMS[index] ?? ''].map(name => name.endsWith('.ts') ? name : `${name}/x.ts`) as [string, string]
    const to = lower.includes('/') ? `../${upper}` : `./${upper}`
    return [{ [lower]: `import type { X } from '${to}'`, [upper]: '' }, new RegExp(`${room.replace('.', '\\.')} imports`)] as const
  }),
  'no two folders import each other': [
    [
      {
        'upstream/upstream.ts': "import './circuit/trip.ts'", 'upstream/circuit/trip.ts': '',
        'upstream/circuit/circuit.ts': "import type { X } from '../snapshot.ts'", 'upstream/snapshot.ts': '',
      },
      /upstream and upstream\/circuit import each other[^]*upstream\/circuit and upstream import each other/,
    ],
  ],
  'no import cycles': [
    [
      { 'call/call.ts': "import './wait.ts'", 'call/wait.ts': "import type { C } from './call.ts'" },
      /call\/call\.ts → call\/wait\.ts → call\/call\.ts/,
    ],
    [{ 'upstream/circuit/trip.ts': "import './trip.ts'" }, /trip\.ts → upstream\/circuit\/trip\.ts/],
  ],
  'no layer imports another': [
    [{ 'layers/retry/retry.ts': "import '../limit.ts'", 'layers/limit.ts': '' }, /imports the layer limit/],
    [{ 'layers/hedge.ts': "import './retry/backoff.ts'", 'layers/retry/backoff.ts': '' }, /imports the layer retry/],
  ],
  'a third-party package is imported by its owner only': [
    [{ 'client/client.ts': "import type { Dispatcher } from 'undici'" }, /undici belongs to transport\//],
    [{ 'layers/breaker.ts': "import Breaker from 'opossum'" }, /opossum belongs to upstream\/circuit\/opossum-view\.ts/],
    [{ 'upstream/circuit/circuit.ts': "import Breaker from 'opossum'" }, /opossum belongs to .*opossum-status\.ts/],
    [{ 'client/client.ts': "const retry = await import('p-retry')" }, /p-retry belongs to layers\/retry\/retry\.ts/],
    [{ 'client/client.ts': "export { LRUCache } from 'lru-cache'" }, /lru-cache belongs to .*dynamic-upstreams\.ts or .*cache\.ts/],
    [{ 'client/client.ts': "import _ from '@scope/thing/part'" }, /@scope\/thing\/part has no owner/],
    [{ 'client/client.ts': "import fs from 'fs'" }, /fs has no owner/],
  ],
  'only the clock touches time and chance': [
    ...[
      'setTimeout(f, 1)', 'const s = setInterval', 'const o = { setImmediate }', 'new Date()', 'const now = Date.now()',
      'const p = performance.now()', 'f(Math.random)', 'globalThis.setTimeout(f, 1)', 'Math["random"]()',
      'const r = () => Math.random()', 'const t = `${Date.now()}`', 'throw Date', 'const a = [...[Date]]',
      'class A extends Date {}', 'const d = x ? performance : y', 'const f = (now = Date.now) => now',
      'class B { static at = performance }', 'const f = () => performance', 'const { now = Date } = x',
      'const { [Date]: x } = y', 'process.hrtime.bigint()', 'new globalThis.Date()',
      'const signal = AbortSignal.timeout(9)', "import { setTimeout as sleep } from 'node:timers/promises'",
    ].map(text => [{ 'layers/retry/retry.ts': text }, /uses|imports/] as const),
  ],
  'only the options hold a default': [
    [{ 'upstream/limit/limit.ts': 'const DEFAULT_LIMIT = 10' }, /declares DEFAULT_LIMIT/],
    [{ 'upstream/limit/limit.ts': 'const defaults = { limit: 10 }' }, /declares defaults/],
    [{ 'upstream/limit/limit.ts': 'const limit = options.limit ?? 10' }, /defaults options\.limit/],
    [{ 'upstream/limit/limit.ts': 'class L { limit() { return this.#options.retry?.on || true } }' }, /defaults this\.#options/],
    [{ 'upstream/limit/limit.ts': 'const { limit = 10 } = options' }, /defaults limit/],
    [{ 'upstream/limit/limit.ts': 'const make = ({ limit = 10 }: LimitOptions) => limit' }, /defaults limit/],
  ],
  'what decides is pure: it imports no package, waits for nothing, does no I/O': [
    [{ 'upstream/circuit/window.ts': "import { LRUCache } from 'lru-cache'" }, /imports lru-cache/],
    [{ 'upstream/circuit/window.ts': "import type { Server } from 'node:net'" }, /imports node:net/],
    [{ 'upstream/circuit/window.ts': 'export const f = async () => {}' }, /asynchronous/],
    [{ 'upstream/circuit/window.ts': 'export const f = () => new Promise(() => {})' }, /uses Promise/],
    [{ 'upstream/circuit/window.ts': 'export const f = () => process.env' }, /uses process/],
  ],
  [`no file is longer than ${MAX_LINES} lines`]: [
    [{ 'client/client.ts': '\n'.repeat(MAX_LINES + 1) }, /client\/client\.ts: 251 lines/],
    [{ 'options/policy.ts': '\n'.repeat(MAX_LINES + 1) }, /options\/policy\.ts: 251 lines/],
  ],
  [`the median file is at most ${MAX_MEDIAN_LINES} lines`]: [
    [{ 'call/call.ts': '', 'transport/pool.ts': '\n'.repeat(MAX_MEDIAN_LINES + 1), 'outcome/reply.ts': '\n'.repeat(99) }, /91 lines/],
  ],
}

/** A world that keeps every rule, in which each of them could think it sees an offence. */
const INNOCENT: Sources = new Map(Object.entries({
  'clock.ts': 'export const clock = { now: () => performance.now(), at: Date, chance: Math.random, run: setTimeout }',
  'options/policy.ts': 'export const defaults = { limit: 10 }',
  'outcome/errors.ts': 'export class TimeoutError extends Error {}',
  'outcome/reply.ts': "import type { Readable } from 'node:stream'\nexport interface Reply { Date: string; at: Date }",
  'upstream/circuit/window.ts': "import '../../clock.ts'\nexport const f = (p: Promise<Date>, q: { process: 1 }) => q.process",
  'http/retry-after.ts': 'export const at = (text: string, fetch: () => number) => Date.parse(text)',
  'http/body.ts': "import type { Readable } from 'node:stream'",
  'layers/retry/retry.ts': "import retry from 'p-retry'\nimport './backoff.ts'\nimport '../../upstream/limit/limit.ts'",
  'layers/retry/backoff.ts': '',
  'upstream/limit/limit.ts':
    "import '../../clock.ts'\nexport const now = () => clock.performance + clock.setTimeout({ Date: 1 })",
  'upstream/upstream.ts': "import './circuit/window.ts'\nimport './limit/limit.ts'",
  'transport/undici.ts': "import { Pool } from 'undici'\nexport const load = ({ size }: Options) => size ?? 0",
  'transport/pool.ts': "import './undici.ts'",
  'index.ts': "export * from './outcome/errors.ts'\nexport type { Reply } from './outcome/reply.ts'",
}))

const names = Object.keys(rules) as (keyof typeof rules)[]
const complaints = (name: keyof typeof rules, sources: Sources): string => rules[name](sources).join('\n')

describe('architecture', () => {
  const sources = readSources()

  test('there are sources to judge', () => assert.ok(sources.size > 0))

  for (const name of names) {
    test(name, () => assert.equal(complaints(name, sources), ''))
  }

  test('every dependency has an owner', () => {
    const manifest = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
      dependencies: Record<string, string>
      peerDependencies?: Record<string, string>
    }
    const all = { ...manifest.dependencies, ...manifest.peerDependencies }
    assert.deepEqual(Object.keys(all).sort(), Object.keys(OWNERS).sort())
  })
})

describe('the rules themselves', () => {
  for (const name of names) {
    test(`catch an offence: ${name}`, () => {
      assert.ok(OFFENDERS[name].length > 0)
      for (const [world, complaint] of OFFENDERS[name]) {
        assert.match(complaints(name, new Map(Object.entries(world))), complaint, JSON.stringify(world).slice(0, 200))
      }
    })

    test(`let the innocent pass: ${name}`, () => assert.equal(complaints(name, INNOCENT), ''))
  }
})
