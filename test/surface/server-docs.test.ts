import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { HEALTH, SHUTDOWN } from '../../src/server/options.ts'
import { literalOf, optionDocs, table } from '../support/option-docs.ts'
import { approved, between, read } from './approved.ts'

const documented = optionDocs(['server/options.ts'], [['HealthOptions', ''], ['ShutdownOptions', '']])

for (const [name, defaults] of [['HealthOptions', HEALTH], ['ShutdownOptions', SHUTDOWN]] as const) {
  test(`the defaults of ${name} are those in force`, () => {
    const said = (documented.get(name) ?? []).flatMap(({ path, fallback }) =>
      fallback !== undefined && path in defaults ? [[path, literalOf(fallback)]] : [])
    deepEqual(Object.fromEntries(said), defaults)
  })
}

test('the tables of docs/server.md say what src/server/options.ts says', () => {
  const file = 'docs/server.md'
  approved(file, [...documented].reduce((text, [name, options]) => between(text, name, table(options)), read(file)))
})
