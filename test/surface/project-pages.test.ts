import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { manifest } from '../package/packed.ts'
import { read, ROOT } from './approved.ts'

/* What the pages for contributors and maintainers say, held against the repository. */

describe('the changelog', () => {
  const versions = [...read('CHANGELOG.md').matchAll(/^## \[(.+?)\](?: - (.+))?$/gm)].map(([, version = '', date = '']) =>
    ({ version, date }))
  const parts = (version: string): number[] => version.split('.').map(Number)
  const isNewer = ([major = 0, minor = 0, patch = 0]: number[], [a = 0, b = 0, c = 0]: number[]): boolean =>
    major > a || (major === a && (minor > b || (minor === b && patch > c)))

  test('begins with the version of the package and of the lock file', () => {
    const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: Record<string, { version: string }> }
    const { version } = manifest
    deepEqual([versions[0]?.version, lock.version, lock.packages['']?.version], [version, version, version])
  })

  test('has a date, or the word unreleased, for each version, and the newest first', () => {
    ok(versions.length > 1, JSON.stringify(versions))
    for (const [index, { version, date }] of versions.entries()) {
      match(version, /^\d+\.\d+\.\d+$/)
      match(date, index === 0 ? /^(\d{4}-\d\d-\d\d|unreleased)$/ : /^\d{4}-\d\d-\d\d$/)
      const before = versions[index + 1]?.version
      ok(before === undefined || isNewer(parts(version), parts(before)), `${version} stands above ${before}`)
    }
  })
})

describe('the pages for contributors', () => {
  const pages = ['CONTRIBUTING.md', 'RELEASING.md', '.github/pull_request_template.md', 'docs/decisions/README.md',
    ...readdirSync(path.join(ROOT, 'docs/decisions')).map(file => `docs/decisions/${file}`)]
  const inCode = (page: string): string[] => [...read(page).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)

  for (const page of new Set(pages)) {
    test(`${page} names files that are there`, () => {
      const files = inCode(page).filter(code => /^(src|test|docs|site|bench|demo|\.ci|\.github)\/[\w./-]*$/.test(code))
      // What a command makes is not there before.
      deepEqual(files.filter(file => !file.startsWith('site/dist') && !existsSync(path.join(ROOT, file))), [])
    })

    test(`${page} names scripts that are there`, () => {
      const scripts = [...read(page).matchAll(/npm run ([\w:]+)/g)].map(([, script = '']) => script)
      deepEqual(scripts.filter(script => !(script in manifest.scripts)), [])
    })
  }

  test('say where everything goes by files and folders', () => {
    const rows = read('CONTRIBUTING.md').split('| new | goes to |')[1]?.split('\n\n')[0]?.split('\n').slice(2) ?? []
    ok(rows.length >= 10, String(rows.length))
    deepEqual(rows.filter(row => !row.includes('`')), [])
  })
})

test('the index of the decisions lists each of them, by number', () => {
  const records = readdirSync(path.join(ROOT, 'docs/decisions')).filter(file => file !== 'README.md').sort()
  const listed = [...read('docs/decisions/README.md').matchAll(/^\| \[(\d{4})\]\((\S+?)\) \|/gm)]
  for (const [, number = '', file = ''] of listed) ok(file.startsWith(`${number}-`), `${number}: ${file}`)
  deepEqual(listed.map(([, , file]) => file), records)
  equal(new Set(listed.map(([, number]) => number)).size, records.length)
})

test('SECURITY.md names the runtime dependencies', () => {
  const sentence = /The runtime dependencies are ([^.]+)\./.exec(read('SECURITY.md'))?.[1] ?? ''
  deepEqual(sentence.split(/, | and /).sort(), Object.keys(manifest.dependencies).sort())
})
