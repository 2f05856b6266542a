import { deepEqual, equal, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { groupOf, guides, titleOf } from '../../site/groups.ts'
import { codeInHeadings } from '../../site/headings.ts'

describe('the group of an export', () => {
  const expected: Readonly<Record<string, string>> = {
    'client/client.ts createClient': 'Client', 'call/request.ts CallOptions': 'Requests and replies',
    'options/options.ts BreakerOptions': 'Options', 'options/options.ts BreakerPolicy': 'Policies',
    'outcome/reply.ts Reply': 'Requests and replies', 'outcome/errors.ts StatusError': 'Errors', 'events.ts channels': 'Events',
    'upstream/snapshot.ts UpstreamSnapshot': 'State', 'clock.ts Clock': 'Time and chance',
  }
  for (const [where, group] of Object.entries(expected)) {
    const [file = '', name = ''] = where.split(' ')
    test(`${name} of ${file} is ${group}`, () => { equal(groupOf(file, name), group) })
  }

  test('is asked for where a room has none', () => {
    throws(() => groupOf('newroom/x.ts', 'X'), /X of src\/newroom\/x\.ts/)
  })
})

test('guides are grouped as in the README', () => {
  const { order, groupOf: groupOfPage } = guides([
    '| to know | read |', '|---|---|', '| options | [docs/options.md](docs/options.md) |', '| **use it** | |',
    '| fetch | [docs/fetch.md](docs/fetch.md#a) or [examples/](examples/README.md) |', '', 'See [docs/other.md](docs/other.md).',
  ].join('\n'))
  const pages = [
    'docs/options.md', 'docs/fetch.md', 'examples/README.md', 'docs/other.md', 'SECURITY.md', 'docs/decisions/0001-a.md',
  ]
  deepEqual(pages.map(groupOfPage), ['Guides', 'Use it', 'Use it', 'Guides', 'Project', 'Decisions'])
  deepEqual(order, ['Guides', 'Use it'])
})

test('a page has the title of its first heading', () => {
  const [code, rest] = [{ kind: 'code', text: '`limit`' }, { kind: 'text', text: ': how many\n\nText' }] as const
  equal(titleOf([{ kind: 'text', text: '# The ' }, code, rest]), 'The limit: how many')
  equal(titleOf([{ kind: 'text', text: 'Text\n# Later' }]), undefined)
  equal(titleOf([]), undefined)
})

test('code in a heading is text, elsewhere it is code', () => {
  class Token {
    content = ''
    children: Token[] | null = null
    readonly type: string
    constructor(type: string) { this.type = type }
  }
  const code = (): Token => Object.assign(new Token('inline'), {
    children: [Object.assign(new Token('code_inline'), { content: 'retry' })],
  })
  const [heading, paragraph] = [code(), code()]
  codeInHeadings({ tokens: [new Token('heading_open'), heading, new Token('paragraph_open'), paragraph], Token })
  const written = (token: Token): string[] => (token.children ?? []).map(({ type, content }) => `${type} ${content}`)
  deepEqual(written(heading), ['html_inline <code>', 'text retry', 'html_inline </code>'])
  deepEqual(written(paragraph), ['code_inline retry'])
})
