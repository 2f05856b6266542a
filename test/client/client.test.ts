import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import * as zlib from 'node:zlib'
import {
  createClient, DeadlineExceededError, OptionError, ResponseError, StatusError, type Body, type Client,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { closedPort } from '../support/hostile.ts'
import { byPath, echo, hold, inTurn, startServer, status, type Echo, type Handler, type TestServer } from '../support/server.ts'

const start = async (t: TestContext, handler: Handler, options: ClientOptions = {}): Promise<[TestServer, Client]> =>
  [await closing(t, startServer(handler)), await closing(t, createClient(options))]

suite('requests', () => {
  test('every verb is sent as itself, with query, headers and body', async t => {
    const [{ url }, client] = await start(t, echo, { headers: { 'x-all': 'a', 'X-Both': 'default' } })
    for (const verb of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const seen = await client[verb](`${url}/p?a=1`, {
        query: { b: [2, 'zwei'], c: true, d: undefined }, headers: { 'X-Both': 'call' },
      }).json<Echo>()
      deepEqual([seen.method, seen.url, seen.body], [verb.toUpperCase(), '/p?a=1&b=2&b=zwei&c=true', ''])
      deepEqual([seen.headers['x-all'], seen.headers['x-both']], ['a', 'call'])
    }
    const head = await client.head(url)
    deepEqual([head.status, head.text(), Number(head.headers['content-length']) > 0], [200, '', true])
    equal((await client.request('query', new URL(url), { query: '?q=1' }).json<Echo>()).url, '/?q=1')
    equal((await client.get(url, { query: new URLSearchParams({ 'ä b': '&' }) }).json<Echo>()).url, '/?%C3%A4+b=%26')
    const pairs = await client.get(url, { headers: new Headers({ 'x-pair': 'p' }) }).json<Echo>()
    equal(pairs.headers['x-pair'], 'p')
  })

  test('an upstream is called by its name, with paths', async t => {
    const server = await closing(t, startServer(echo))
    const client = await closing(t, createClient({ upstreams: { shop: { url: server.url } } }))
    equal((await client.upstream('shop').post('/orders', { json: 1 }).json<Echo>()).url, '/orders')
    equal((await client.upstream('shop').get('//evil.example/').json<Echo>()).url, '//evil.example/')
    for (const path of ['orders', 'http://evil.example/', '@evil.example/', '']) {
      await rejects(client.upstream('shop').get(path), OptionError)
    }
    equal(server.hits, 2)
    throws(() => client.upstream('shoe'), OptionError)
  })

  const pieces = async function* (): AsyncGenerator<string | Uint8Array> {
    yield 'he'
    yield Buffer.from('llo')
  }
  const bodies: [string, () => Body][] = [
    ['a string', () => 'hello'],
    ['a Buffer', () => Buffer.from('hello')],
    ['a Uint8Array', () => new TextEncoder().encode('hello')],
    ['a Readable', () => Readable.from(['he', 'llo'], { objectMode: false })],
    ['an async iterable', pieces],
    ['a factory of a string', () => () => 'hello'],
    ['a factory of bytes', () => () => Buffer.from('hello')],
    ['a factory of a Readable', () => () => Readable.from([Buffer.from('hello')])],
    ['a factory of an async iterable', () => pieces],
  ]
  for (const [name, body] of bodies) {
    test(`a body can be ${name}`, async t => {
      const [{ url }, client] = await start(t, echo)
      equal((await client.post(url, { body: body() }).json<Echo>()).body, 'hello')
    })
  }

  test('a factory makes a body for each attempt; a stream is sent once', async t => {
    const [server, client] = await start(t, inTurn(status(503), echo), { retry: { backoff: 0 } })
    let made = 0
    const reply = await client.put(server.url, { body: () => Readable.from([`body ${++made}`]) })
    deepEqual([reply.json<Echo>().body, reply.attempts, server.hits], ['body 2', 2, 2])
    server.handle(status(503))
    const error = await failure(client.put(server.url, { body: Readable.from(['once']) }), StatusError)
    deepEqual([error.stopped, error.attempts, server.hits], ['not repeatable', 1, 3])
  })

  test('an async iterable that nobody has begun to read can still be sent', async t => {
    const [server, closed] = [await closing(t, startServer(echo)), await closing(t, closedPort())]
    const options = { breaker: false, retry: { backoff: 0 }, upstreams: { it: { url: [closed.url, server.url] } } } as const
    const client = await closing(t, createClient(options))
    const attempts = new Set<number>()
    await eventually(async () => {
      const reply = await client.upstream('it').post('/', { body: pieces() })
      equal(reply.json<Echo>().body, 'hello')
      return attempts.add(reply.attempts).has(2)
    }, { what: 'one met the closed port first' })
    server.handle(status(503))
    const { hits } = server
    const error = await failure(client.put(server.url, { body: pieces() }), StatusError)
    deepEqual([error.stopped, server.hits], ['not repeatable', hits + 1])
  })

  test('a body that fails is the error of who made it, and no evidence', async t => {
    const [{ url }, client] = await start(t, echo)
    const broken = new Error('the disk is on fire')
    const failing = async function* (): AsyncGenerator<string> {
      yield 'a'
      throw broken
    }
    for (const body of [failing(), Readable.from(failing()), failing, (): string => { throw broken }]) {
      equal(await failure(client.put(url, { body }), Error), broken)
    }
    deepEqual(client.snapshot()[0]?.endpoints[0]?.calls, 0)
  })

  test('a factory that makes no body is refused by what it made, and its promise ends nothing', async t => {
    const [{ url }, client] = await start(t, echo)
    for (const [body, made] of [
      [async () => 'x', 'a Promise'], [async () => { throw new Error('late') }, 'a Promise'], [() => undefined, 'undefined'],
      [() => ({ a: 1 }), 'an object'], [() => () => 'x', 'a function'],
    ] as const) {
      const error = await failure(client.put(url, { body: body as never }), OptionError)
      equal(error.message, `\`body()\` must return a string, bytes, a stream or an async iterable, got ${made}`)
    }
    equal((await client.put(url, { body: () => 'good' }).json<Echo>()).body, 'good')
  })

  test('JSON is sent as JSON, and null is a value', async t => {
    const [{ url }, client] = await start(t, echo)
    const seen = await client.post(url, { json: { a: 1 } }).json<Echo>()
    deepEqual([seen.body, seen.headers['content-type']], ['{"a":1}', 'application/json'])
    equal((await client.post(url, { json: null }).json<Echo>()).body, 'null')
    const own = await client.post(url, { json: [], headers: { 'content-type': 'application/vnd.api+json' } }).json<Echo>()
    equal(own.headers['content-type'], 'application/vnd.api+json')
  })

  test('nonsense is refused before anything is sent', async t => {
    const [server, client] = await start(t, echo)
    const bad = [
      client.get('ftp://a'), client.get('nowhere'), client.get('http://user:secret@host/'), client.request('CONNECT', server.url),
      client.get(server.url, { headers: { a: 'b\r\nc: d' } }), client.post(server.url, { json: 1n }),
      client.post(server.url, { json: 1, body: 'b' }), client.get(server.url, { deadline: 0 }),
      client.get(server.url, { attemptTimeout: 20_000 }), client.get(server.url, { query: { a: {} } as never }),
      client.get(server.url, { body: {} as never }), client.get(server.url, { retries: 1 } as never),
    ]
    for (const call of bad) ok(!/secret|c: d/.test((await failure(call, OptionError)).message))
    equal(server.hits, 0)
  })

  test('an idempotency key is sent, and makes a POST repeatable', async t => {
    const [server, client] = await start(t, inTurn(status(503), echo), { retry: { backoff: 0 } })
    const reply = await client.post(server.url, { json: 1, idempotencyKey: 'k-1' })
    deepEqual([reply.attempts, reply.json<Echo>().headers['idempotency-key']], [2, 'k-1'])
    server.handle(status(503))
    equal((await failure(client.post(server.url), StatusError)).stopped, 'not repeatable')
    equal((await failure(client.post(server.url, { retry: { methods: ['post'], limit: 2 } }), StatusError)).attempts, 3)
  })

  test('what remains of the deadline is told in a header that the option names', async t => {
    const [{ url }, client] = await start(t, echo, { deadlineHeader: 'x-deadline-ms', deadline: 5_000 })
    const left = Number((await client.get(url, { deadline: 900 }).json<Echo>()).headers['x-deadline-ms'])
    ok(left > 0 && left <= 900, `${left}`)
  })

  test('that header replaces one of the caller, whatever the case of its name', async t => {
    const names: string[] = []
    const record: Handler = ({ rawHeaders }, response) => {
      names.push(...rawHeaders.filter(name => /^x-left$/i.test(name)))
      response.end()
    }
    const [{ url }, client] = await start(t, record, { deadlineHeader: 'X-Left' })
    await client.get(url, { headers: { 'X-LEFT': '999999' } })
    deepEqual(names, ['x-left'])
  })
})

suite('replies', () => {
  test('status, headers, bytes, text, JSON, attempts and timings', async t => {
    const body = '\uFEFF{"a":"ä"}'
    const [{ url }, client] = await start(t, status(201, { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] }, body))
    const reply = await client.get(url)
    deepEqual([reply.status, reply.ok, reply.headers['x-one'], reply.headers['set-cookie']], [201, true, '1', ['a=1', 'b=2']])
    deepEqual([reply.bytes(), reply.text(), reply.json()], [Buffer.from(body), '{"a":"ä"}', { a: 'ä' }])
    deepEqual([await client.get(url).text(), await client.get(url).bytes()], ['{"a":"ä"}', Buffer.from(body)])
    const { queued, headers, total } = reply.timings
    ok(queued === 0 && headers > 0 && headers <= total && reply.attempts === 1)
    throws(() => reply.body, TypeError)
  })

  test('a body that is no JSON is a SyntaxError that does not quote it', async t => {
    const [{ url }, client] = await start(t, status(200, {}, 'secret-token'))
    ok(!/secret|token-/.test((await failure(client.get(url).json(), SyntaxError)).message))
  })

  test('a status of 400 or more is an error after retries, unless throwOnStatus says otherwise', async t => {
    const [server, client] = await start(t, status(500, { 'x-why': 'w' }, 'why'), { retry: { backoff: 0, limit: 2 } })
    const error = await failure(client.get(server.url), StatusError)
    deepEqual([error.status, error.headers['x-why'], error.body, error.attempts], [500, 'w', 'why', 3])
    deepEqual([error.code, error.sent, error.stopped], ['ERR_STATUS', 'yes', 'limit'])
    const reply = await client.get(server.url, { throwOnStatus: false })
    deepEqual([reply.status, reply.ok, reply.text(), reply.attempts], [500, false, 'why', 3])
    server.handle(status(404, {}, 'x'.repeat(5_000)))
    deepEqual([(await failure(client.get(server.url), StatusError)).body.length, server.hits], [1_024, 7])
  })

  test('maxBodySize bounds a body, to the byte', async t => {
    const [{ url }, client] = await start(t, status(200, {}, 'x'.repeat(1_000)))
    equal((await client.get(url, { maxBodySize: 1_000 })).bytes().length, 1_000)
    const error = await failure(client.get(url, { maxBodySize: 999 }), ResponseError)
    deepEqual([error.code, error.reason, error.attempts], ['ERR_BAD_RESPONSE', 'body longer than 999 bytes', 1])
    equal((await client.head(url, { maxBodySize: 0 })).status, 200)
  })

  const codings: [string, (body: string | Uint8Array) => Uint8Array][] = [
    ['gzip', zlib.gzipSync], ['x-gzip', zlib.gzipSync], ['deflate', zlib.deflateSync], ['br', zlib.brotliCompressSync],
    ['zstd', zlib.zstdCompressSync], ['deflate, GZIP', body => zlib.gzipSync(zlib.deflateSync(body))],
    ['identity', body => Buffer.from(body)],
  ]
  for (const [coding, encode] of codings) {
    test(`a ${coding} body is decoded, and bounded after that`, async t => {
      const [plain, noise] = ['ha'.repeat(5_000), randomBytes(1_000)]
      const [{ url }, client] = await start(t, inTurn(
        status(200, { 'content-encoding': coding }, encode(noise)), status(200, { 'content-encoding': coding }, encode(plain)),
      ))
      deepEqual(await client.get(url, { maxBodySize: noise.length }).bytes(), noise, 'what cannot be packed is longer packed')
      equal(await client.get(url, { maxBodySize: 10_000 }).text(), plain)
      const error = await failure(client.get(url, { maxBodySize: 9_999 }), ResponseError)
      ok(error.reason.startsWith('body longer than 9999 bytes'))
      equal((await client.head(url)).status, 200)
    })
  }
})

suite('the end of a call', () => {
  test('an abort rejects with its own reason, whatever that is', async t => {
    const gate = hold()
    const [server, client] = await start(t, gate.handler)
    for (const reason of [new Error('mine'), 'a string', undefined]) {
      const controller = new AbortController()
      const call = client.get(server.url, { signal: controller.signal })
      await eventually(() => gate.waiting === 1)
      controller.abort(reason)
      await rejects(call, (error: unknown) => error === controller.signal.reason)
      await eventually(() => gate.waiting === 0 && server.connections === 0)
    }
    const hits = server.hits
    await rejects(client.get(server.url, { signal: AbortSignal.abort('before') }), (error: unknown) => error === 'before')
    deepEqual([server.hits, client.snapshot()[0]?.active, client.snapshot()[0]?.limit.inFlight], [hits, 0, 0])
  })

  test('options of a call stand over those of its upstream', async t => {
    const [server, client] = await start(t, byPath({ '/hung': hold().handler, '/bad': status(502) }), { deadline: 60_000 })
    equal((await failure(client.get(`${server.url}/hung`, { deadline: 50 }), DeadlineExceededError)).timeout, 50)
    equal((await failure(client.get(`${server.url}/bad`, { retry: false }), StatusError)).attempts, 1)
    equal((await failure(client.get(`${server.url}/bad`, { retry: { statuses: [500] } }), StatusError)).attempts, 1)
  })
})
