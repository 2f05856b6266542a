import { deepEqual, equal, ok } from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { forwarded, type Forwarding } from '../../src/gateway/forwarded.ts'
import { endToEnd } from '../../src/gateway/hop-by-hop.ts'
import { gatewayPolicy } from '../../src/gateway/options.ts'
import { proxyStatus } from '../../src/gateway/proxy-status.ts'
import { headerFor, targetOf } from '../../src/gateway/request.ts'

const HOP_BY_HOP = [
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings',
  'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization',
]
const anyCase = (name: string): fc.Arbitrary<string> => fc.mixedCase(fc.constant(name))
const name = fc.oneof(
  fc.constantFrom(
    ...HOP_BY_HOP, 'host', 'content-length', 'expect', 'x-forwarded-for', 'forwarded', 'via', 'x-a', 'x-b', 'cookie',
  ).chain(anyCase),
  fc.string({ maxLength: 6, unit: 'binary' }),
)
const value = fc.oneof(
  fc.array(fc.constantFrom(...HOP_BY_HOP, 'x-a', 'X-B', 'close', ''), { maxLength: 4 }).map(names => names.join(', ')),
  fc.stringMatching(/^[\t -~\x80-\xff]{0,9}$/),
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 }).map(pairs => pairs.flat())
const namesOf = (flat: readonly string[]): string[] => flat.filter((_, index) => index % 2 === 0).map(text => text.toLowerCase())

const FRAMINGS = [{}, { 'content-length': '7' }, { 'transfer-encoding': 'chunked', 'content-length': '7' }]
const requestOf = (rawHeaders: string[], headers: IncomingMessage['headers'] = {}): IncomingMessage =>
  ({ rawHeaders, headers, httpVersion: '1.1', socket: { remoteAddress: '::ffff:192.0.2.7' } }) as unknown as IncomingMessage

suite('header fields', () => {
  test('that concern one connection never get through, and all others do, in their order', () => {
    fc.assert(fc.property(fields, given => {
      const kept = namesOf(endToEnd(given, new Set(['host'])))
      const listed = given.filter((_, index) => index % 2 === 1 && given[index - 1]?.toLowerCase() === 'connection')
        .flatMap(text => text.split(',').map(option => option.trim().toLowerCase()))
      for (const one of [...HOP_BY_HOP, 'host', ...listed]) ok(!kept.includes(one), one)
      const gone = new Set([...HOP_BY_HOP, 'host', ...listed])
      deepEqual(kept, namesOf(given).filter(one => !gone.has(one) && /^[!#$%&'*+\-.^_`|~\w]+$/.test(one)))
    }))
  })

  test('for the upstream have one length at most, no host, and no name that could begin another line', () => {
    const policy = gatewayPolicy({ upstream: 'up' })
    fc.assert(fc.property(fields, fc.constantFrom(...FRAMINGS),
      (given, framing) => {
        const sent = headerFor(requestOf(given, framing), policy)
        const names = namesOf(sent)
        for (const one of names) ok(/^[!#$%&'*+\-.^_`|~\w]+$/.test(one), one)
        for (const one of ['host', 'expect', 'transfer-encoding']) ok(!names.includes(one), one)
        equal(names.filter(one => one === 'content-length').length, framing === FRAMINGS[1] ? 1 : 0)
        equal(names.filter(one => one === 'x-forwarded-for').length, 1)
        equal(sent[names.indexOf('x-forwarded-for') * 2 + 1], '192.0.2.7')
        equal(names.at(-1), 'via')
      }))
  })

  test('tell the host only if it is one, so that a client can’t write a list with it', () => {
    fc.assert(fc.property(value, host => {
      const sent = forwarded([], requestOf([], { host }), 'replace')
      const told = sent[sent.indexOf('x-forwarded-host') + 1]
      ok(!sent.includes('x-forwarded-host') || (told === host && /^[\w.~%:[\]-]+$/.test(host)))
      ok(/^for=192\.0\.2\.7(?:;host="[\w.~%:[\]-]+")?;proto=http$/.test(sent[sent.indexOf('forwarded') + 1] ?? ''))
    }))
  })

  const told = (remoteAddress: string | undefined, mode: Forwarding = 'replace', given: string[] = []): string[] =>
    forwarded(given, { headers: {}, socket: { remoteAddress, encrypted: true } } as unknown as IncomingMessage, mode)

  test('tell an address of IPv6 as RFC 7239 wants it, and nothing of a local interface', () => {
    deepEqual(told('fe80::1%eth0').slice(0, 4), ['forwarded', 'for="[fe80::1]";proto=https', 'x-forwarded-for', 'fe80::1'])
  })

  test('tell of no address where there is none', () => {
    deepEqual(told(undefined), ['forwarded', 'for=unknown;proto=https', 'x-forwarded-proto', 'https'])
  })

  test('that are repeated become one when something is appended', () => {
    deepEqual(told('192.0.2.7', 'append', ['X-Forwarded-For', '1.1.1.1', 'x-a', 'b', 'x-forwarded-for', '2.2.2.2']).slice(0, 4),
      ['x-a', 'b', 'x-forwarded-for', '1.1.1.1, 2.2.2.2, 192.0.2.7'])
  })
})

test('a target is a path, whatever host stands before it', () => {
  const pathOf = (url: string): string | undefined => targetOf({ url } as unknown as IncomingMessage)
  const targets = { '/a?b': '/a?b', 'http://h:1/a': '/a', 'HTTPS://h?b': '/?b', 'http://h': '/', '//h/a': '//h/a', '': '/' }
  for (const [url, path] of Object.entries(targets)) equal(pathOf(url), path, url)
  for (const url of ['*', 'a', 'h:1', '/a b', '/\n', 'ftp://h/', '/\u0100']) equal(pathOf(url), undefined, url)
  for (const up of ['..', '.', '%2e%2e', '.%2E', '%2e', '..;', '%2e%2e;x=1', '..%3bx', '%252e.', '.%09.', '..%00', '..#x']) {
    for (const url of [
      `/${up}`, `/${up}/a`, `/a/${up}/b`, `/a/${up}?c`, `/a\\${up}\\b`, `http://h/${up}/a`, `/a/${up}%2fb`, `/a%2F${up}%5cb`,
      `/a%5C${up}/b`, `/a%252f${up}/b`,
    ]) equal(pathOf(url), undefined, url)
  }
  for (const url of [
    '/a..b', '/..a/b', '/.well-known/x', '/a?b=/../c', '/...', '/a%2fb', '/a%20b', '/a%2e%2e', '/100%25', '/a;b=..',
    '/a?b=%2f..%2f',
  ]) equal(pathOf(url), url)
})

test('a Proxy-Status quotes what is no token', () => {
  equal(proxyStatus('1gw', { upstream: 'a "b" \\ \n', error: 'dns_error' }), String.raw`"1gw"; error=dns_error; next-hop="a \"b\" \\ ?"`)
})
