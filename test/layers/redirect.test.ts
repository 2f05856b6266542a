import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { redirectOf, type Hop } from '../../src/layers/redirect.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { requestOf, type CallOptions } from '../../src/call/request.ts'

const FROM = 'https://here.example/a/b?c=d'
const follow = (status: number, location: string | string[] | undefined, from: Partial<Hop> = {}): Hop | undefined =>
  redirectOf(new Reply(status, { location }), { url: new URL(FROM), request: requestOf('GET', undefined), ...from })
const sent = (method: string, options: CallOptions = {}): Partial<Hop> => ({ request: requestOf(method, options) })

describe('where a redirect leads', () => {
  for (const [location, url] of [
    ['https://there.example/x', 'https://there.example/x'], ['//there.example', 'https://there.example/'], ['/x', 'https://here.example/x'],
    ['x', 'https://here.example/a/x'], ['../x', 'https://here.example/x'], ['?x', 'https://here.example/a/b?x'],
    ['', 'https://here.example/a/b?c=d'], ['#x', 'https://here.example/a/b?c=d#x'], ['/\\evil.example', 'https://evil.example/'],
    ['https://HERE.example:443/x', 'https://here.example/x'],
  ] as const) test(`${JSON.stringify(location)} is ${url}`, () => equal(follow(302, location)?.url.href, url))

  for (const [status, location, why] of [
    [302, undefined, 'there is none'], [302, ['/a', '/b'], 'there are two'], [302, 'http://', 'it is broken'],
    [302, 'http://here.example/x', 'it leaves TLS'], [302, 'ftp://h/', 'it is not HTTP'], [302, 'file:///etc/passwd', 'it is a file'],
    [302, 'javascript:alert(1)', 'it is a script'], [302, 'data:,x', 'it is data'],
    [200, '/x', 'the status is none'], [201, '/x', 'the status is none'], [300, '/x', 'the choice is not ours'],
    [304, '/x', 'the status is none'], [305, '/x', 'it is deprecated'], [404, '/x', 'the status is none'],
  ] as const) {
    const value = location === undefined || typeof location === 'string' ? location : [...location]
    test(`${status} to ${String(location)} is not followed: ${why}`, () => equal(follow(status, value), undefined))
  }

  test('from http to https is fine', () => {
    equal(follow(301, 'https://there.example/', { url: new URL('http://here.example/') })?.url.href, 'https://there.example/')
  })
})

describe('what becomes of method and body (RFC 9110 §15.4)', () => {
  for (const [status, method, becomes] of [
    [301, 'GET', 'GET'], [301, 'HEAD', 'HEAD'], [301, 'POST', 'GET'], [301, 'PUT', 'PUT'], [301, 'DELETE', 'DELETE'],
    [302, 'GET', 'GET'], [302, 'HEAD', 'HEAD'], [302, 'POST', 'GET'], [302, 'PATCH', 'PATCH'],
    [303, 'GET', 'GET'], [303, 'HEAD', 'HEAD'], [303, 'POST', 'GET'], [303, 'PUT', 'GET'], [303, 'DELETE', 'GET'],
    [307, 'POST', 'POST'], [307, 'HEAD', 'HEAD'], [308, 'POST', 'POST'], [308, 'PUT', 'PUT'],
  ] as const) {
    test(`${status}: ${method} becomes ${becomes}`, () => {
      const body = method === 'GET' || method === 'HEAD' ? {} : { body: 'b', headers: { 'content-language': 'de' } }
      const request = follow(status, '/x', sent(method, body))?.request
      equal(request?.method, becomes)
      const dropped = becomes !== method
      deepEqual([request.body, request.headers], dropped ? [undefined, body.headers && {}] : [body.body, body.headers])
    })
  }

  test('a body goes to its own origin only, and only if it can be sent again', () => {
    const there = 'https://there.example/'
    for (const status of [307, 308]) {
      equal(follow(status, '/x', sent('POST', { body: 'b' }))?.request.body, 'b')
      equal(follow(status, there, sent('POST', { body: 'b' })), undefined)
      equal(follow(status, '/x', sent('POST', { body: Readable.from(['b']) })), undefined)
      const make = (): string => 'b'
      equal(follow(status, '/x', sent('POST', { body: make }))?.request.body, make)
      equal(follow(status, there, sent('PUT'))?.request.method, 'PUT', 'without a body nothing is given away')
    }
    equal(follow(303, there, sent('POST', { body: Readable.from(['b']) }))?.request.body, undefined)
  })
})

describe('what is carried over', () => {
  const headers = {
    'authorization': 's', 'cookie': 's', 'proxy-authorization': 's', 'x-api-key': 's', 'host': 's', 'idempotency-key': 's',
    'accept': 'a', 'accept-language': 'de', 'content-type': 'text/plain', 'traceparent': 't', 'user-agent': 'u',
  }
  const HARMLESS = ['accept', 'accept-language', 'content-type', 'traceparent', 'user-agent']
  const namesAfter = (status: number, location: string, method = 'GET'): string[] =>
    Object.keys(follow(status, location, sent(method, { headers }))?.request.headers ?? {})

  test('within an origin, everything', () => deepEqual(namesAfter(302, '/x'), Object.keys(headers)))

  test('to another host, scheme or port, nothing that could be a credential', () => {
    for (const location of ['https://there.example/', 'https://sub.here.example/', 'https://here.example:8443/', '//here.example.evil.example']) {
      deepEqual(namesAfter(302, location), HARMLESS)
    }
    const upgraded = follow(302, 'https://here.example/', { url: new URL('http://here.example/'), ...sent('GET', { headers }) })
    deepEqual(Object.keys(upgraded?.request.headers ?? {}), HARMLESS)
  })

  test('without a body, nothing about one', () => {
    ok(!namesAfter(303, '/x', 'POST').includes('content-type'))
    ok(namesAfter(307, '/x', 'POST').includes('content-type'))
  })

  test('a URL with credentials gives nobody any', () => {
    const hop = follow(302, 'https://user:hunter2@there.example/x')
    equal(hop?.url.origin, 'https://there.example')
    deepEqual(hop.request.headers, undefined)
  })

  test('all options but the query, which was that of the first URL', () => {
    const { signal } = new AbortController()
    const hop = follow(302, '/x?new', sent('GET', { query: { old: 1 }, signal, deadline: 70, throwOnStatus: false }))
    deepEqual(hop?.request.options, { signal, deadline: 70, throwOnStatus: false })
    equal(hop.url.search, '?new')
  })

  test('nothing is changed in the request it came from', () => {
    const hop = sent('POST', { headers, body: 'b' })
    const before = structuredClone(hop.request)
    follow(303, 'https://there.example/', hop)
    deepEqual(hop.request, before)
  })
})
