import { deepEqual, equal, ok } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { redirectOf } from '../../src/layers/redirect.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { requestOf, type Request } from '../../src/call/request.ts'
import { describe, test, type TestContext } from 'node:test'
import {
  AttemptTimeoutError, createClient, DeadlineExceededError, DrainingError, OptionError, StatusError, type CallOptions,
  type Client,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { byPath, echo, hold, startServer, status, tls, type Echo, type Handler, type TestServer } from '../support/server.ts'

const FROM = { origin: 'https://here.example', target: '/a/b?c=d' }
const sent = (method: string, options?: CallOptions, from = FROM): Request => requestOf(method, from, options, false)
const follow = (status: number, location: string | string[] | undefined, from = sent('GET')): Request | undefined =>
  redirectOf(new Reply(status, { location }), from)
const urlOf = (request: Request | undefined): string | undefined => request && request.origin + request.target

describe('where a redirect leads', () => {
  for (const [location, url] of [
    ['https://there.example/x', 'https://there.example/x'], ['//there.example', 'https://there.example/'], ['/x', 'https://here.example/x'],
    ['x', 'https://here.example/a/x'], ['../x', 'https://here.example/x'], ['?x', 'https://here.example/a/b?x'],
    ['', 'https://here.example/a/b?c=d'], ['#x', 'https://here.example/a/b?c=d'], ['/\\evil.example', 'https://evil.example/'],
    ['https://HERE.example:443/x', 'https://here.example/x'],
  ] as const) test(`${JSON.stringify(location)} is ${url}`, () => equal(urlOf(follow(302, location)), url))

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
    const from = sent('GET', undefined, { origin: 'http://here.example', target: '/' })
    equal(urlOf(follow(301, 'https://there.example/', from)), 'https://there.example/')
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
      const request = follow(status, '/x', sent(method, body))
      equal(request?.method, becomes)
      const dropped = becomes !== method
      deepEqual([request.body, request.headers], dropped ? [undefined, body.headers && {}] : [body.body, body.headers])
    })
  }

  test('a body goes to its own origin only, and only if it can be sent again', () => {
    const there = 'https://there.example/'
    for (const status of [307, 308]) {
      equal(follow(status, '/x', sent('POST', { body: 'b' }))?.body, 'b')
      equal(follow(status, there, sent('POST', { body: 'b' })), undefined)
      equal(follow(status, '/x', sent('POST', { body: Readable.from(['b']) })), undefined)
      const make = (): string => 'b'
      equal(follow(status, '/x', sent('POST', { body: make }))?.body, make)
      equal(follow(status, there, sent('PUT'))?.method, 'PUT', 'without a body nothing is given away')
    }
    equal(follow(303, there, sent('POST', { body: Readable.from(['b']) }))?.body, undefined)
  })
})

describe('what is carried over', () => {
  const headers = {
    'authorization': 's', 'cookie': 's', 'proxy-authorization': 's', 'x-api-key': 's', 'host': 's', 'idempotency-key': 's',
    'accept': 'a', 'accept-language': 'de', 'content-type': 'text/plain', 'traceparent': 't', 'user-agent': 'u',
  }
  const HARMLESS = ['accept', 'accept-language', 'content-type', 'traceparent', 'user-agent']
  const namesAfter = (status: number, location: string, method = 'GET'): string[] =>
    Object.keys(follow(status, location, sent(method, { headers }))?.headers ?? {})

  test('within an origin, everything', () => deepEqual(namesAfter(302, '/x'), Object.keys(headers)))

  test('to another host, scheme or port, nothing that could be a credential', () => {
    for (const location of ['https://there.example/', 'https://sub.here.example/', 'https://here.example:8443/', '//here.example.evil.example']) {
      deepEqual(namesAfter(302, location), HARMLESS)
    }
    const plain = sent('GET', { headers }, { origin: 'http://here.example', target: '/' })
    const upgraded = follow(302, 'https://here.example/', plain)
    deepEqual(Object.keys(upgraded?.headers ?? {}), HARMLESS)
  })

  test('without a body, nothing about one', () => {
    ok(!namesAfter(303, '/x', 'POST').includes('content-type'))
    ok(namesAfter(307, '/x', 'POST').includes('content-type'))
  })

  test('a URL with credentials gives nobody any', () => {
    const hop = follow(302, 'https://user:hunter2@there.example/x')
    equal(hop?.origin, 'https://there.example')
    deepEqual(hop.headers, undefined)
  })

  test('all options, but not the query, which was that of the first URL', () => {
    const { signal } = new AbortController()
    const options = { query: { old: 1 }, signal, deadline: 70, throwOnStatus: false }
    const hop = follow(302, '/x?new', sent('GET', options))
    deepEqual({ ...hop?.options }, options)
    equal(hop?.target, '/x?new')
  })

  test('nothing is changed in the request it came from', () => {
    const hop = sent('POST', { headers, body: 'b' })
    const before = structuredClone(hop)
    follow(303, 'https://there.example/', hop)
    deepEqual(structuredClone(hop), before)
  })
})

const to = (location: string, code = 302): Handler => status(code, { location })
const SECRETS: CallOptions = {
  headers: { 'authorization': 'Bearer s', 'cookie': 's=1', 'x-api-key': 's', 'accept-language': 'de', 'user-agent': 'u' },
}

/** Two origins: the first sends on to the second, or does what a test wants. */
const start = async (
  t: TestContext, handler: (there: TestServer) => Handler, options: (here: TestServer, there: TestServer) => ClientOptions,
): Promise<[Client, TestServer, TestServer]> => {
  const there = await closing(t, startServer(echo))
  const here = await closing(t, startServer(handler(there)))
  return [await closing(t, createClient(options(here, there))), here, there]
}

test('redirects are not followed unless somebody asks', async t => {
  const [client, here, there] = await start(t, ({ url }) => to(url), () => ({}))
  const reply = await client.get(here.url)
  deepEqual([reply.status, reply.headers['location'], there.hits], [302, there.url, 0])
  deepEqual([(await client.get(here.url, { redirects: 1 })).status, there.hits], [200, 1])
})

test('they are bounded, by the client and by the call', async t => {
  const [client, here] = await start(t, () => to('/again?and=again'), () => ({ redirects: 3 }))
  equal((await client.get(here.url)).status, 302)
  equal(here.hits, 4)
  await client.get(here.url, { redirects: 20 })
  await client.get(here.url, { redirects: 0 })
  equal(here.hits, 4 + 21 + 1)
})

test('the method and the body are kept or not, as RFC 9110 has it', async t => {
  const cases = [
    [301, 'POST', 'GET', ''], [302, 'POST', 'GET', ''], [303, 'PUT', 'GET', ''],
    [307, 'POST', 'POST', 'b'], [308, 'PUT', 'PUT', 'b'], [302, 'PUT', 'PUT', 'b'],
  ] as const
  const handlers = Object.fromEntries(cases.map(([code]) => [`/${code}`, to('/echo', code)]))
  const [client, here] = await start(t, () => byPath({ ...handlers, '/echo': echo }), () => ({ redirects: 1 }))
  for (const [code, method, sent, body] of cases) {
    const seen = await client.request(method, `${here.url}/${code}`, { body: 'b', query: { a: 1 }, ...SECRETS }).json<Echo>()
    deepEqual([seen.method, seen.body, seen.url], [sent, body, '/echo'], `${code} ${method}`)
    equal(seen.headers['authorization'], 'Bearer s', 'the same origin keeps what it was given')
  }
  const oneShot = await client.post(`${here.url}/307`, { body: Readable.from(['b']) })
  equal(oneShot.status, 307, 'a consumed body cannot be sent again')
})

test('credentials and bodies never cross an origin', async t => {
  const elsewhere = ({ url }: TestServer): Handler => byPath({ '/307': to(url, 307), '/': to(`${url}/x`) })
  const [client, here, there] = await start(t, elsewhere, () => ({ redirects: 5 }))
  const seen = await client.get(here.url, SECRETS).json<Echo>()
  deepEqual(Object.keys(seen.headers).sort(), ['accept-language', 'connection', 'host', 'user-agent'])
  equal((await client.post(`${here.url}/307`, { json: { secret: 1 } })).status, 307)
  equal(there.hits, 1)
})

test('headers configured for one upstream do not travel to another', async t => {
  const [client, here, there] = await start(t, ({ url }) => to(url), (from, other) => ({
    redirects: 1,
    upstreams: {
      from: { url: from.url, headers: { authorization: 'of the first' } },
      other: { url: other.url, headers: { 'x-of': 'the second' } },
    },
  }))
  const seen = await client.get(here.url).json<Echo>()
  deepEqual([seen.headers['authorization'], seen.headers['x-of'], there.hits], [undefined, 'the second', 1])
})

test('https never leads to http, and nothing leads elsewhere than http and https', async t => {
  const there = await closing(t, startServer(echo))
  const locations: Record<string, string> = {
    '/http': there.url, '/file': 'file:///etc/passwd', '/ftp': 'ftp://127.0.0.1/', '/bad': 'http://[', '/js': 'javascript:1',
  }
  const here = await closing(t, startServer({
    protocol: 'https', handler: byPath(Object.fromEntries(Object.entries(locations).map(([path, url]) => [path, to(url)]))),
  }))
  const client = await closing(t, createClient({ redirects: 5, pool: { tls: { ca: tls.cert } } }))
  for (const path of Object.keys(locations)) equal((await client.get(here.url + path)).status, 302, path)
  equal(there.hits, 0)
})

test('credentials in a location are dropped', async t => {
  const [client, here] = await start(t, ({ port }) => to(`http://me:hunter2@127.0.0.1:${port}/`), () => ({ redirects: 5 }))
  const seen = await client.get(here.url)
  deepEqual([seen.json<Echo>().headers['authorization'], seen.text().includes('hunter2')], [undefined, false])
})

test('what may be called is asked again at each hop', async t => {
  for (const allow of ['configured', 'list'] as const) {
    const [client, here, there] = await start(t, ({ url }) => to(url), ({ url }) => ({
      redirects: 5, upstreams: { here: { url } }, allow: allow === 'list' ? [url] : allow,
    }))
    equal((await failure(client.get(here.url), OptionError)).option, 'url')
    await failure(client.get(there.url), OptionError)
    equal(there.hits, 0)
  }
})

test('one deadline covers all hops', async t => {
  const gate = hold()
  const [client, here] = await start(t, () => byPath({ '/': to('/next'), '/next': gate.handler }), () => ({ redirects: 5 }))
  const started = performance.now()
  const error = await failure(client.get(here.url, { deadline: 200, attemptTimeout: 200 }), DeadlineExceededError)
  ok(performance.now() - started >= 199, error.message)
  equal(gate.waiting, 1)
  await eventually(() => gate.waiting === 0)
})

test("the call's own limit of an attempt holds at each hop", async t => {
  const gate = hold()
  const [client, here] = await start(t, () => byPath({ '/': to('/next'), '/next': gate.handler }), () => ({ redirects: 5 }))
  const error = await failure(client.get(here.url, { attemptTimeout: 100, retry: false }), AttemptTimeoutError)
  deepEqual([error.timeout, error.path], [100, '/next'])
})

test('the last reply is judged: its status, and its stream', async t => {
  const [client, here] = await start(t, ({ url }) => byPath({ '/gone': to('/nowhere'), '/': to(url) }), () => ({ redirects: 5 }))
  equal((await failure(client.get(`${here.url}/gone`), StatusError)).status, 404)
  const { status: code, body } = await client.stream('GET', here.url)
  deepEqual([code, (await body.toArray()).length], [200, 1])
  deepEqual(client.snapshot().map(({ active }) => active), [0, 0])
})

test('a call that is being redirected when the client closes is finished, and leaves no connection', async t => {
  const slow = hold((request, response) => to(there.url)(request, response))
  const gate = hold(echo)
  const [client, here, there] = await start(t, () => slow.handler, () => ({ redirects: 5 }))
  there.handle(gate.handler)
  const call = client.get(here.url)
  await eventually(() => slow.waiting === 1)
  const closed = client.close()
  await failure(client.get(here.url), DrainingError)
  slow.release()
  await eventually(() => gate.waiting === 1)
  gate.release()
  equal((await call).status, 200)
  await inTime(closed)
  await eventually(() => here.connections + there.connections === 0)
})
