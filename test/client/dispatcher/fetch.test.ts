import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { suite, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import createApi from 'openapi-fetch'
import {
  CircuitOpenError, ConnectionError, createClient, DeadlineExceededError, DrainingError, OptionError, type Client,
  type ClientOptions,
} from '../../../src/index.ts'
import { closing, eventually } from '../../support/check.ts'
import { createTestClock } from '../../support/clock.ts'
import { OFF } from '../../support/dispatching.ts'
import { failure } from '../../support/failure.ts'
import { closedPort } from '../../support/hostile.ts'
import {
  byPath, echo, hold, inTurn, json, startServer, status, stream, type Echo, type Handler, type TestServer,
} from '../../support/server.ts'

const QUICK = { backoff: 1, throttledBackoff: 1, maxBackoff: 1 }

const start = async (t: TestContext, handler: Handler, options: ClientOptions = {}): Promise<[TestServer, Client]> => {
  const server = await closing(t, startServer(handler))
  const client = createClient({ retry: QUICK, ...options })
  t.after(() => client.destroy())
  return [server, client]
}
const echoed = async (sent: Promise<Response>): Promise<Echo> => (await sent).json() as Promise<Echo>
const causeOf = async (sent: Promise<unknown>): Promise<unknown> => (await failure(sent, TypeError)).cause

suite('client.fetch', () => {
  test('is the host’s fetch, and need not be called as a method', async t => {
    const [{ url }, client] = await start(t, json({ hello: 'there' }, 201, { 'x-a': 'b' }))
    const { fetch } = client
    equal(client.fetch, fetch)
    const response = await fetch(url)
    ok(response instanceof Response)
    deepEqual([response.status, response.headers.get('x-a'), response.ok], [201, 'b', true])
    deepEqual(await response.json(), { hello: 'there' })
  })

  test('takes a Request, a URL, and options of any make', async t => {
    const [{ url }, { fetch }] = await start(t, echo)
    const request = new Request(`${url}/a`, { method: 'PUT', body: 'mine', headers: { 'x-a': '1' } })
    const seen = await echoed(fetch(request.clone(), { headers: { 'x-b': '2' } }))
    deepEqual([seen.method, seen.url, seen.body, seen.headers['x-a'], seen.headers['x-b']], ['PUT', '/a', 'mine', undefined, '2'])
    equal((await echoed(fetch(new URL(`${url}/b?c=d`)))).url, '/b?c=d')
    // The options of a Request are getters of its class.
    deepEqual(await echoed(fetch(`${url}/c`, request)).then(({ method, url: at, body }) => [method, at, body]), ['PUT', '/c', 'mine'])
  })

  test('waits for a body no longer than callerTimeout, whether its length is known or not', async t => {
    const [{ url }, { fetch }] = await start(t, echo, { deadline: 200, callerTimeout: 200 })
    for (const headers of [{}, { 'content-length': '2' }]) {
      for (const chunks of [['a'], []]) {
        const body = new ReadableStream({
          start(controller) { for (const chunk of chunks) controller.enqueue(Buffer.from(chunk)) },
        })
        const cause = await causeOf(fetch(url, { method: 'PUT', duplex: 'half', headers, body } as object))
        ok(cause instanceof DeadlineExceededError)
        deepEqual([cause.phase, cause.verdict], ['caller', 'none'])
      }
    }
  })

  test('sends a body of known length that is late, all of it and in order', async t => {
    const [{ url }, { fetch }] = await start(t, echo)
    const chunks = ['one ', 'two ', 'three']
    const body = new ReadableStream({
      async pull(controller) {
        const next = chunks.shift()
        if (next === undefined) controller.close()
        else {
          if (next === 'two ') await new Promise<void>(resolve => { setTimeout(resolve, 400) })
          controller.enqueue(Buffer.from(next))
        }
      },
    })
    const headers = { 'content-length': '13' }
    const seen = await echoed(fetch(url, { method: 'PUT', duplex: 'half', headers, body } as object))
    deepEqual([seen.body, seen.headers['content-length'], seen.headers['transfer-encoding']], ['one two three', '13', undefined])
  })

  test('sends every kind of body as the host’s does', async t => {
    const [{ url }, { fetch }] = await start(t, echo)
    const bodies: (() => NonNullable<RequestInit['body']>)[] = [
      () => 'text ü', () => new TextEncoder().encode('bytes'), () => new TextEncoder().encode('buffer').buffer,
      () => new DataView(new TextEncoder().encode('a view').buffer, 2), () => new URLSearchParams({ a: 'b c' }),
      () => new Blob(['blob'], { type: 'text/x' }), () => '',
    ]
    for (const body of bodies) {
      for (const options of [{}, { headers: { 'content-type': 'x/y' } }]) {
        const [ours, theirs] = [await echoed(fetch(url, { method: 'POST', body: body(), ...options })),
          await echoed(globalThis.fetch(url, { method: 'POST', body: body(), ...options }))]
        deepEqual(ours, theirs)
      }
    }
    const form = new FormData()
    form.set('field', 'value')
    match((await echoed(fetch(url, { method: 'POST', body: form }))).body, /name="field"\r\n\r\nvalue/)
  })

  test('streams both ways', async t => {
    const [{ url }, { fetch }] = await start(t, (request, response) => { request.pipe(response) })
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const sent = fetch(url, { method: 'POST', body: readable, duplex: 'half' })
    await writer.write(Buffer.from('one '))
    const reader = (await sent).body!.pipeThrough(new TextDecoderStream()).getReader()
    equal((await reader.read()).value, 'one ')
    await writer.write(Buffer.from('two'))
    equal((await reader.read()).value, 'two')
    await writer.close()
    equal((await reader.read()).done, true)
  })

  test('does not take a response faster than it is read', async t => {
    let made = 0
    const [{ url }, { fetch }] = await start(t, stream((function* () { for (;; made++) yield Buffer.alloc(10_000) })()))
    const response = await fetch(url)
    let [last, since] = [-1, 0]
    await eventually(() => {
      if (made !== last) [last, since] = [made, performance.now()]
      return performance.now() - since > 100
    }, { within: 10_000 })
    ok(made < 2_000, `${made} chunks of 10 kB were taken unread`)
    await response.body!.cancel()
  })

  test('decodes, and follows redirects by the rules of fetch', async t => {
    const [other] = await start(t, echo)
    const [{ url }, { fetch }] = await start(t, byPath({
      '/gzip': status(200, { 'content-encoding': 'gzip' }, gzipSync('unzipped')),
      '/away': (_request, response) => { response.writeHead(307, { location: `${other.url}/there` }).end() },
    }))
    equal(await (await fetch(`${url}/gzip`)).text(), 'unzipped')
    const response = await fetch(`${url}/away`, { method: 'PUT', body: 'again', headers: { 'authorization': 'secret', 'x-a': '1' } })
    const seen = await response.json() as Echo
    deepEqual([response.redirected, response.url, seen.body, seen.headers['authorization'], seen.headers['x-a']],
      [true, `${other.url}/there`, 'again', undefined, '1'])
    equal((await fetch(`${url}/away`, { redirect: 'manual' })).status, 307)
    await failure(fetch(`${url}/away`, { redirect: 'error' }), TypeError)
  })

  test('asks of each redirect whether it may be followed to there', async t => {
    const [away] = await start(t, echo)
    const [server, client] = await start(t, (_request, response) => { response.writeHead(302, { location: away.url }).end() })
    const careful = await closing(t, createClient({ allow: [server.url] }))
    ok(await causeOf(careful.fetch(server.url)) instanceof OptionError)
    equal((await client.fetch(server.url)).status, 200)
    equal(client.snapshot().length, 2)
  })

  test('is aborted at any time', async t => {
    const gate = hold()
    const [server, client] = await start(t, gate.handler)
    await failure(client.fetch(server.url, { signal: AbortSignal.abort() }), DOMException)
    const controller = new AbortController()
    const sent = client.fetch(server.url, { signal: controller.signal })
    await eventually(() => gate.waiting === 1)
    controller.abort()
    equal((await failure(sent, DOMException)).name, 'AbortError')
    server.handle((_request, response) => { response.write('begun') })
    const second = new AbortController()
    const reading = (await client.fetch(server.url, { signal: second.signal })).text()
    second.abort(new RangeError('mine'))
    ok((await failure(reading, Error)) instanceof RangeError)
    await eventually(() => server.connections === 0 && client.snapshot()[0]!.active === 0)
  })

  test('is retried with the same body, as it was when fetch was called', async t => {
    const bodies: string[] = []
    const [{ url }, { fetch }] = await start(t, async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      bodies.push(body)
      response.writeHead(bodies.length % 2 === 1 ? 503 : 200).end()
    })
    const bytes = new TextEncoder().encode('bytes')
    const form = new FormData()
    form.set('field', 'value')
    for (const body of ['text', bytes, new URLSearchParams({ a: 'b' }), new Blob(['blob']), form, 'x'.repeat(1_000_000)]) {
      const sent = fetch(url, { method: 'PUT', body })
      if (body === bytes) bytes.fill(0)
      equal((await sent).status, 200)
    }
    equal((await fetch(new Request(url, { method: 'PUT', body: 'of a Request' }))).status, 200)
    for (let turn = 0; turn < bodies.length; turn += 2) equal(bodies[turn], bodies[turn + 1])
    const short = bodies.filter((body, turn) => turn % 2 === 0 && body.length < 100)
    deepEqual(short, ['text', 'bytes', 'a=b', 'blob', 'of a Request'])
  })

  test('is not retried with a body that is gone: a stream, or one too long to be kept', async t => {
    const [server, { fetch }] = await start(t, (request, response) => {
      request.resume().once('end', () => { response.writeHead(503).end() })
    })
    const stream = new Blob(['stream']).stream()
    equal((await fetch(server.url, { method: 'PUT', body: stream, duplex: 'half' })).status, 503)
    equal((await fetch(server.url, { method: 'PUT', body: 'x'.repeat(1_048_577) })).status, 503)
    equal(server.hits, 2)
  })

  test('fails as the host’s does if its body does', async t => {
    const [{ url }, client] = await start(t, echo)
    const { fetch } = client
    const failing = (): ReadableStream => new ReadableStream({ pull(controller) { controller.error(new RangeError('torn')) } })
    const options = { method: 'POST', duplex: 'half' }
    const theirs = await failure(globalThis.fetch(url, { ...options, body: failing() } as RequestInit), TypeError)
    const ours = await failure(fetch(url, { ...options, body: failing() } as RequestInit), TypeError)
    equal(String(ours.cause), String(theirs.cause))
    // It is said to have a length, and so is read before it is sent.
    const announced = { ...options, headers: { 'content-length': '4' } }
    await failure(fetch(url, { ...announced, body: failing() } as RequestInit), TypeError)
    equal(client.snapshot().every(({ active }) => active === 0), true)
  })

  test('leaves a POST as it is, unless it was never sent', async t => {
    const [server, { fetch }] = await start(t, inTurn(status(503), status(200)))
    equal((await fetch(server.url, { method: 'POST', body: '{}' })).status, 503)
    const port = await closing(t, closedPort())
    const cause = await causeOf(fetch(port.url, { method: 'POST', body: '{}' }))
    ok(cause instanceof ConnectionError)
    deepEqual([cause.attempts, cause.sent], [5, 'never'])
  })

  test('rejects with a TypeError whose cause says what happened', async t => {
    const [server, { fetch }] = await start(t, status(503, {}, 'no'), { retry: false, breaker: { consecutive: 1 } })
    equal(await (await fetch(server.url)).text(), 'no')
    ok(await causeOf(fetch(server.url)) instanceof CircuitOpenError)
    const [gate, clock] = [hold(), createTestClock()]
    const [slow, late] = await start(t, gate.handler, { deadline: 50, env: { clock, random: () => 0 } })
    const cause = causeOf(late.fetch(slow.url))
    await eventually(() => gate.waiting === 1)
    await clock.advance(50)
    ok(await cause instanceof DeadlineExceededError)
  })

  test('is part of the client: it is counted, waited for and refused', async t => {
    const [server, client] = await start(t, (_request, response) => { response.write('begun ') })
    let end = (): void => {}
    server.handle((_request, response) => {
      response.write('begun ')
      end = () => { response.end('ended') }
    })
    const response = await client.fetch(server.url)
    const { active, limit: { inFlight, bodies } } = client.snapshot()[0]!
    deepEqual([active, inFlight, bodies], [1, 0, 1])
    const closed = client.close()
    ok(await causeOf(client.fetch(server.url)) instanceof DrainingError)
    end()
    equal(await response.text(), 'begun ended')
    await closed
  })

  for (const [how, options] of [['protected', {}], ['unprotected', OFF]] as const) {
    test(`works over HTTP/2, whatever the host’s own fetch knows of that; ${how}`, async t => {
      const server = await closing(t, startServer({ protocol: 'h2', handler: (request, response) => { request.pipe(response) } }))
      const client = createClient({ pool: { http2: true, tls: { rejectUnauthorized: false } }, ...options })
      t.after(() => client.destroy())
      equal(await (await client.fetch(server.url, { method: 'PUT', body: 'over' })).text(), 'over')
    })
  }

  test('stays what it was when the host’s fetch is replaced', async t => {
    const [{ url }, client] = await start(t, json('real'))
    t.mock.method(globalThis, 'fetch', () => Promise.resolve(new Response('mocked')))
    notEqual(await (await fetch(url)).text(), '"real"')
    equal(await (await client.fetch(url)).json(), 'real')
    equal(await (await createClient(OFF).fetch(url)).json(), 'real')
  })

  test('is what a library needs that takes a fetch', async t => {
    const [{ url }, { fetch }] = await start(t, inTurn(status(503), echo))
    interface Paths { '/orders/{id}': { put: {
      parameters: { path: { id: number } }
      requestBody: { content: { 'application/json': { state: string } } }
      responses: { 200: { content: { 'application/json': Echo } } }
    } } }
    const api = createApi<Paths>({ baseUrl: url, fetch })
    const options = { params: { path: { id: 7 } }, body: { state: 'paid' } }
    const { data } = await api.PUT('/orders/{id}', options)
    deepEqual([data?.url, data?.body], ['/orders/7', '{"state":"paid"}'])
  })
})
