import { deepEqual, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { approved, between, read, ROOT } from '../surface/approved.ts'

const FOLDER = 'examples/testing'
const EXAMPLES = readdirSync(path.join(ROOT, FOLDER)).map(name => `${FOLDER}/${name}`)

test('the examples of docs/testing.md pass, as a user would run them', async () => {
  const args = ['--disable-warning=ExperimentalWarning', '--import', './test/support/source.ts', '--test', '--test-reporter=tap']
  // A test runner tells its children that they are its children.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, [...args, ...EXAMPLES], { cwd: ROOT, env, timeout: 60_000 })
  ok(EXAMPLES.length >= 3)
  deepEqual(/# pass (\d+)\n# fail (\d+)/.exec(stdout)?.slice(1), [String(EXAMPLES.length), '0'], stdout)
})

test('docs/testing.md shows them as they are', () => {
  const file = 'docs/testing.md'
  approved(file, EXAMPLES.reduce((text, example) => between(text, example, `\`\`\`ts\n${read(example)}\`\`\``), read(file)))
})
