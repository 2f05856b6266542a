import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { connect as connectH2, constants, type ClientHttp2Session } from 'node:http2'
import { existsSync } from 'node:fs'
import { suite, test } from 'node:test'
import { Agent, request } from 'undici'
import { closing, eventually, leaks } from './check.ts'
import { startHaproxy, startNginx, gatewayMissing } from './gateways.ts'
import { goAway, refuseStream, resetStream, type H2Fault } from './h2-faults.ts'
import { closedPort } from './hostile.ts'
import { byPath, echo, hold, inTurn, json, startServer, status, stream, tls, type Echo } from './server.ts'
import { startUpstreamProcess } from './upstream-process.ts'

const agent = (options: Agent.Options = {}): AsyncDisposable & { dispatcher: Agent } => {
  const dispatcher = new Agent({ connections: 4, ...options })
  return { dispatcher, [Symbol.asyncDispose]: () => dispatcher.destroy() }
}

suite('the test server', () => {
  test('answers, counts, and leaves nothing behind', async t => {
    const watch = leaks()
    const server = await closing(t, startServer(byPath({ '/echo': echo, '/gone': status(410) })))
    const { dispatcher } = await closing(t, agent({ connections: 1 }))
    const reply = await request(`${server.url}/echo?q=1`, { dispatcher, method: 'POST', body: 'hi', headers: { a: 'b' } })
    const seen = await reply.body.json() as Echo
    deepEqual([seen.method, seen.url, seen.headers['a'], seen.body], ['POST', '/echo?q=1', 'b', 'hi'])
    for (const [path, code] of [['/gone', 410], ['/nowhere', 404]] as const) {
      const { statusCode, body } = await request(server.url + path, { dispatcher })
      await body.dump()
      equal(statusCode, code)
    }
    deepEqual([server.hits, server.hitsOf('/echo'), server.connections, server.accepted], [3, 1, 1, 1])
    server.handle(inTurn(status(500), json({ ok: true })))
    const codes = []
    for (let i = 0; i < 3; i++) {
      const { statusCode, body } = await request(server.url, { dispatcher })
      await body.dump()
      codes.push(statusCode)
    }
    deepEqual(codes, [500, 200, 200])
    server.resetConnections()
    await eventually(() => server.connections === 0)
    await server.close()
    await dispatcher.destroy()
    await watch.assertNone()
  })

  test('holds requests until they are released', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const { dispatcher } = await closing(t, agent())
    const replies = [1, 2, 3].map(() => request(server.url, { dispatcher }))
    await eventually(() => gate.waiting === 3)
    gate.release(1)
    await Promise.race(replies)
    equal(gate.waiting, 2)
    gate.release()
    for (const { body } of await Promise.all(replies)) await body.dump()
    await (await request(server.url, { dispatcher })).body.dump()
    equal(server.hits, 4)
  })

  test('streams, and stops when nobody listens', async t => {
    let made = 0
    const endless = function* (): Generator<string> { while (made < 1e6) yield `${made++} ${'x'.repeat(10_000)}` }
    const server = await closing(t, startServer(stream(endless())))
    const { dispatcher } = await closing(t, agent())
    const { body } = await request(server.url, { dispatcher })
    for await (const _ of body) break
    await eventually(() => server.connections === 0)
    ok(made < 10_000, `${made} chunks`)
  })

  for (const [protocol, allowH2, version] of [['https', false, '1.1'], ['h2', true, '2.0'], ['h2', false, '1.1']] as const) {
    test(`speaks HTTP/${version} over ${protocol} with its own certificate`, async t => {
      const server = await closing(t, startServer({ protocol, handler: echo }))
      const { dispatcher } = await closing(t, agent({ allowH2, connect: { ca: tls.cert } }))
      const { body } = await request(server.url, { dispatcher, method: 'PUT', body: 'hi' })
      const seen = await body.json() as Echo
      deepEqual([seen.httpVersion, seen.body, server.connections], [version, 'hi', 1])
    })
  }
})

test('a closed port refuses, and refuses again', async t => {
  const closed = await closing(t, closedPort())
  const { dispatcher } = await closing(t, agent())
  for (let i = 0; i < 20; i++) await rejects(request(closed.url, { dispatcher }), { code: 'ECONNREFUSED' })
})

suite('HTTP/2 faults', () => {
  const open = (url: string): ClientHttp2Session => connectH2(url, { ca: tls.cert }).on('error', () => {})
  const ask = (session: ClientHttp2Session): Promise<number> => new Promise(resolve => {
    const asked = session.request({ ':path': '/' }).on('error', () => {})
    asked.on('close', () => resolve(asked.rstCode)).resume().end()
  })
  const cases: [string, H2Fault, number[]][] = [
    ['refuseStream', refuseStream(1), [constants.NGHTTP2_REFUSED_STREAM, 0]],
    ['resetStream', resetStream(1), [constants.NGHTTP2_INTERNAL_ERROR, 0]],
  ]
  for (const [name, fault, codes] of cases) {
    test(name, async t => {
      const server = await closing(t, startServer({ protocol: 'h2', handler: fault.handler }))
      const session = open(server.url)
      deepEqual([await ask(session), await ask(session)], codes)
      equal(fault.fired, 1)
      session.destroy()
    })
  }

  test('goAway names the stream before the one asked for', async t => {
    const fault = goAway()
    const server = await closing(t, startServer({ protocol: 'h2', handler: fault.handler }))
    const session = open(server.url)
    equal(await ask(session), 0)
    let last: number | undefined
    session.on('goaway', (_code, id) => { last ??= id })
    await ask(session)
    deepEqual([fault.fired, last], [1, 1])
    session.destroy()
  })
})

suite('an upstream process', () => {
  test('answers as told, dies, and comes back on the same port', async t => {
    const upstream = await closing(t, startUpstreamProcess())
    const { dispatcher } = await closing(t, agent())
    const ask = async (): Promise<number> => {
      const { statusCode, body } = await request(upstream.url, { dispatcher, headersTimeout: 300 })
      await body.text()
      return statusCode
    }
    equal(await ask(), 200)
    await upstream.be({ is: 'failing', status: 503 })
    equal(await ask(), 503)
    await upstream.be({ is: 'slow', ms: 5 })
    equal(await ask(), 200)
    equal(await upstream.hits(), 3)
    await upstream.be({ is: 'hung' })
    await rejects(ask(), { code: 'UND_ERR_HEADERS_TIMEOUT' })

    const { pid } = upstream
    await upstream.restart()
    ok(upstream.pid !== pid)
    equal(await ask(), 200)
    await upstream.be({ is: 'about to crash' })
    await rejects(ask())
    await eventually(() => !upstream.alive)
    await rejects(ask(), { code: 'ECONNREFUSED' })

    await upstream.restart()
    equal(await ask(), 200)
    upstream.freeze()
    await rejects(ask(), { code: 'UND_ERR_HEADERS_TIMEOUT' })
    upstream.thaw()
    await upstream.crash()
    await rejects(ask(), { code: 'ECONNREFUSED' })
  })
})

suite('gateways', () => {
  for (const [name, start, codes] of [
    ['nginx', startNginx, { refused: 502, slow: 504, unresolvable: 502 }],
    ['haproxy', startHaproxy, { refused: 503, slow: 504, unresolvable: 503 }],
  ] as const) {
    test(`${name} stands in front of an upstream`, { skip: gatewayMissing(name) }, async t => {
      const { dispatcher } = await closing(t, agent())
      const ask = async (url: string): Promise<number> => {
        const { statusCode, body } = await request(url, { dispatcher })
        await body.dump()
        return statusCode
      }
      const gate = hold()
      const server = await closing(t, startServer(byPath({ '/': echo, '/slow': gate.handler })))
      const gateway = await closing(t, start({ upstream: server.url, readTimeout: 100 }))
      equal(await ask(gateway.url), 200)
      equal(server.hits, 1)
      equal(await ask(`${gateway.url}/slow`), codes.slow)

      const closed = await closing(t, closedPort())
      const dead = await closing(t, start({ upstream: closed.url }))
      equal(await ask(dead.url), codes.refused)
      const lost = await closing(t, start({ upstream: 'http://nobody.invalid:80', connectTimeout: 100 }))
      equal(await ask(lost.url), codes.unresolvable, lost.log())

      await gateway.close()
      ok(!existsSync(`/proc/${gateway.pid}`))
      await rejects(ask(gateway.url))
    })

    test(`${name} says why it does not start`, { skip: gatewayMissing(name) }, async () => {
      await rejects(start({ upstream: 'http://127.0.0.1:1', connectTimeout: -1 }), new RegExp(`${name} did not start: .+`))
    })
  }
})
