import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { OptionError } from '../../src/index.ts'
import { split, splitPlain, targetOn } from '../../src/http/target.ts'

const ORIGINS = ['http://h', 'https://h', 'http://h:8080', 'https://a.b-c.example', 'http://127.0.0.1:3000', 'http://[::1]:8080']

/** What somebody would put into a path to get out of it, and much that is harmless. */
const PIECES = [
  '/', '//', '\\', '.', '..', '/.', '/..', '/./', '/../', '%2e', '%2E%2e', '/%2e%2E/', '/.%2e', '%2f', '%5c', '%00', '%zz',
  '%', '@', 'evil.example', 'user:pw@evil', ':8080', ':', '?', '#', '?#', ';', '&', '=', '+', ' ', '\t', '\r\n', '\0', '|',
  '^', '`', '{}', '<>', '"', '\'', '!', '*', '(', ')', ',', '$', '~', '-', '_', 'a', 'Z', '9', 'ä', '\u{1F600}', '\uFEFF',
  '\u2025', '\uFF0F', '\uD800', '[', ']',
]
const nasty = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 })
  .map(pieces => pieces.join(''))

describe('the fast way', () => {
  test('splits what is plain', () => {
    for (const [url, origin, target] of [
      ['http://h/', 'http://h', '/'], ['https://h:1/a/b-c_d~e.f;g=h,i', 'https://h:1', '/a/b-c_d~e.f;g=h,i'],
      ['http://h/a?b=c&d=%20/e?f', 'http://h', '/a?b=c&d=%20/e?f'], ['http://h/a..b/c.', 'http://h', '/a..b/c.'],
    ] as const) deepEqual(splitPlain(url), { origin, target })
  })

  test('leaves to the URL standard what that might change', () => {
    for (const rest of [
      '', '?a', '#a', '/.', '/..', '/a/../b', '/a/./b', '/%2e', '/%2E%2e/', '/a b', '/a#b', '/a\\b', '/"', '/ä', '/a\tb',
      "/'", '/?',
    ]) {
      equal(splitPlain(`http://h${rest}`), undefined, rest)
    }
  })

  test('gives exactly what new URL gives', () => {
    let fast = 0
    fc.assert(fc.property(fc.constantFrom(...ORIGINS), nasty, (origin, rest) => {
      const plain = splitPlain(`${origin}/${rest}`)
      if (plain === undefined) return
      fast++
      const url = new URL(`${origin}/${rest}`)
      // Only an origin that is known as it is written is ever looked up.
      deepEqual(plain, { origin, target: url.pathname + url.search })
      equal(url.origin, origin)
      equal(url.hash, '')
    }), { numRuns: 20_000 })
    ok(fast > 1_000, `only ${fast} were plain`)
  })

  test('never finds a known origin in a URL that leads elsewhere', () => {
    fc.assert(fc.property(fc.constantFrom(...ORIGINS, ''), nasty, (origin, rest) => {
      const plain = splitPlain(origin + rest)
      if (plain === undefined || !ORIGINS.includes(plain.origin)) return
      equal(new URL(origin + rest).origin, plain.origin)
    }), { numRuns: 20_000 })
  })
})

describe('a URL', () => {
  test('is split as the standard says, without its fragment', () => {
    for (const [url, origin, target] of [
      ['HTTP://H:80', 'http://h', '/'], ['http://h?a=b c', 'http://h', '/?a=b%20c'], ['http://h/a/../b#c', 'http://h', '/b'],
      ['http:\\\\h\\a', 'http://h', '/a'], ['http:h/a', 'http://h', '/a'], ['http://ä.example/', 'http://xn--4ca.example', '/'],
      ['http://0x7f.1/', 'http://127.0.0.1', '/'], ['  http://h/a ', 'http://h', '/a'], ['http://h/ä', 'http://h', '/%C3%A4'],
    ] as const) {
      deepEqual(split(url), { origin, target })
      deepEqual(split(new URL(url)), { origin, target })
    }
  })

  test('is refused without a word of what it says when it is none of ours', () => {
    for (const url of [
      '', 'h', '/p', '//h/p', 'ftp://h', 'file:///etc/hunter2', 'data:,hunter2', 'http://user:hunter2@h', 'http://hunter2@h', 'http://',
      'http://h:99999/hunter2', 'unix:/hunter2', null, undefined, 7,
    ]) {
      throws(() => split(url as string), (error: unknown) => error instanceof OptionError && error.option === 'url'
        && !error.message.includes('hunter2'), String(url))
    }
  })
})

describe('a path on an origin', () => {
  test('is sent as the URL standard writes it', () => {
    for (const [path, target] of [
      ['/', '/'], ['/a/b?c=d', '/a/b?c=d'], ['/a b', '/a%20b'], ['/a#b', '/a'], ['/a/../b', '/b'], ['/../../a', '/a'],
      ['/%2e%2e/a', '/a'], ['/.%2E/a', '/a'], ['/a/%2e', '/a/'], ['/a\\b', '/a/b'], ['/a\r\nb: c', '/ab:%20c'],
      ['/ä', '/%C3%A4'], ['/?a=../b', '/?a=../b'],
    ] as const) equal(targetOn('http://h', path), target, path)
  })

  test('never leads to another origin', () => {
    for (const [path, target] of [
      ['//evil.example', '//evil.example'], ['//evil.example/x', '//evil.example/x'], ['/\\evil.example', '//evil.example'],
      ['/\t/evil.example', '//evil.example'], ['///evil.example', '///evil.example'], ['/..//evil.example', '//evil.example'],
      ['/%2e%2e//evil.example', '//evil.example'], ['/@evil.example', '/@evil.example'],
      ['/:80@evil.example', '/:80@evil.example'], ['/http://evil.example', '/http://evil.example'],
      ['/%2f%2fevil.example', '/%2f%2fevil.example'],
    ] as const) {
      for (const origin of ORIGINS) {
        equal(targetOn(origin, path), target)
        equal(new URL(origin + target).origin, origin)
      }
    }
  })

  test('whatever it holds', () => {
    fc.assert(fc.property(fc.constantFrom(...ORIGINS), nasty, (origin, rest) => {
      const target = targetOn(origin, `/${rest}`)
      const url = new URL(origin + target)
      equal(url.origin, origin)
      equal(url.pathname + url.search, target, 'a second look changes nothing')
      ok(/^\/[!-~]*$/.test(target), 'fit for a request line')
    }), { numRuns: 20_000 })
  })

  test('must begin with a slash', () => {
    for (const path of [
      '', 'a', 'http://evil.example/', '.evil.example', '@evil.example', ':80', '?a', '#a', '\\a', ' /a', 7, null,
    ]) {
      throws(() => targetOn('http://h', path as string), (error: unknown) => error instanceof OptionError
        && error.option === 'path' && !error.message.includes('evil'), String(path))
    }
  })
})
