import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { afterEach, describe, test, type TestContext } from 'node:test'
import fastify from 'fastify'
import { WebSocketServer, WebSocket } from 'ws'
import { createClient, DrainingError, OptionError } from '../../src/index.ts'
import {
  createHealth, gracefulShutdown, type ShutdownOptions, type ShutdownStep,
} from '../../src/server/index.ts'
import { accepts } from '../support/child.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { failure } from '../support/failure.ts'
import { byPath, hold, listen, startServer, tls, type Handler } from '../support/server.ts'
import { ask, dial } from './ask.ts'

/** From 26 on Node does so itself, when it stops accepting. */
const WE_END_SILENT = Number.parseInt(process.versions.node) < 26

const idle: Handler = (_, response) => void response.end('ok')

/** A service with one upstream, on a clock that stands still, ready to be shut down. */
const service = async (t: TestContext, handler: Handler, options: ShutdownOptions = {}, secure = false) => {
  const env = testEnv()
  const upstream = await closing(t, startServer())
  const client = await closing(t, createClient({ upstreams: { payments: { url: upstream.url } } }))
  const health = createHealth(client)
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    if (!health(request, response)) void handler(request, response)
  }
  const server = secure ? https.createServer(tls, listener) : http.createServer(listener)
  const steps: ShutdownStep[] = []
  const shutdown = gracefulShutdown(server, client, {
    signals: [], env, onStep: ({ step }) => { steps.push(step) }, ...options,
  })
  const port = await listen(server)
  t.after(() => {
    server.close()
    server.closeAllConnections()
    shutdown.uninstall()
  })
  return { env, upstream, client, server, shutdown, steps, port, url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}` }
}

describe('a graceful shutdown', () => {
  test('fails readiness, serves through the grace, stops accepting, finishes what is in flight, closes the client', async t => {
    const gate = hold(idle)
    const it = await service(t, byPath({ '/': idle, '/slow': gate.handler }))
    equal((await ask(`${it.url}/readyz`)).status, 200)
    const slow = ask(`${it.url}/slow`)
    await eventually(() => gate.waiting === 1)
    void it.shutdown()

    deepEqual(await ask(`${it.url}/readyz`).then(({ status, connection }) => [status, connection]), [503, 'close'])
    equal((await ask(`${it.url}/livez`)).status, 200)
    deepEqual(await ask(it.url), { status: 200, connection: 'close', body: 'ok' })
    equal((await it.client.upstream('payments').get('/')).status, 200, 'requests still need it')
    await it.env.clock.advance(7_999)
    equal(await accepts(it.port), true)
    await it.env.clock.advance(1)
    equal(await accepts(it.port), false)
    equal((await it.client.upstream('payments').get('/')).status, 200, 'a request in flight still needs it')
    deepEqual(it.steps, ['draining', 'stopping'])

    gate.release()
    deepEqual(await slow, { status: 200, connection: 'close', body: 'ok' })
    const report = await inTime(it.shutdown.finished)
    deepEqual(it.steps, ['draining', 'stopping', 'closing', 'done'])
    deepEqual(report, { reason: 'called', clean: true, duration: 8_000, answered: 4, cut: 0, ended: 0, errors: [] })
    await failure(it.client.upstream('payments').get('/'), DrainingError)
    equal(it.env.clock.pending, 0, 'no timer is left behind')
  })

  test('takes kept-alive connections leave of their clients, one reply each', async t => {
    const it = await service(t, idle)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    equal((await ask(it.url, agent)).connection, 'keep-alive')
    void it.shutdown()
    equal((await ask(it.url, agent)).connection, 'close', 'on the connection it had')
    equal((await ask(it.url, agent)).connection, 'close', 'on another')
    await it.env.clock.advance(8_000)
    equal((await inTime(it.shutdown.finished)).clean, true)
    await rejects(ask(it.url, agent), { code: 'ECONNREFUSED' })
  })

  test('closes a connection that had been promised to be kept, when its reply is complete', async t => {
    let finish = (): void => undefined
    const it = await service(t, (_, response) => {
      response.write('first,')
      finish = () => void response.end('last')
    })
    const { socket, received } = await dial(it.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => received().includes('first,'))
    void it.shutdown()
    await it.env.clock.advance(8_000)
    deepEqual(it.steps, ['draining', 'stopping'])
    const closed = once(socket, 'close')
    finish()
    await inTime(closed)
    match(received(), /^connection: keep-alive\r$/im)
    match(received(), /last/)
    equal((await inTime(it.shutdown.finished)).clean, true)
  })

  test('ends connections that never sent a request, or half of one, after a while', async t => {
    const it = await service(t, idle)
    const [silent, half] = [await dial(it.port), await dial(it.port, 'GET / HTTP/1.1\r\nhos')]
    const closed = Promise.all([once(silent.socket, 'close'), once(half.socket, 'close')])
    void it.shutdown()
    await it.env.clock.advance(8_000)
    half.socket.write('t: a\r\n\r\n')
    await eventually(() => half.received().includes('200 OK'), { what: 'one whose request arrives late is served' })
    equal(silent.socket.destroyed, !WE_END_SILENT)
    await it.env.clock.advance(1_000)
    await inTime(closed)
    const { clean, ended, answered } = await inTime(it.shutdown.finished)
    deepEqual({ clean, ended, answered }, { clean: true, ended: WE_END_SILENT ? 1 : 0, answered: 1 })
  })

  test('gives WebSockets time for a good-bye', async t => {
    const sockets = new WebSocketServer({ noServer: true })
    const it = await service(t, idle, {
      onStep: ({ step }) => { if (step === 'stopping') for (const socket of sockets.clients) socket.close(1001) },
    })
    it.server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, opened => sockets.emit('connection', opened, request))
    })
    const socket = new WebSocket(it.url.replace('http', 'ws'))
    await once(socket, 'open')
    const closed = once(socket, 'close')
    void it.shutdown()
    await it.env.clock.advance(8_000)
    deepEqual((await inTime(closed))[0], 1001)
    deepEqual((await inTime(it.shutdown.finished)).ended, 0)
  })

  for (const [linger, after] of [[undefined, 9_000], [Infinity, 23_000]] as const) {
    test(`ends an upgraded socket that stays, with a linger of ${linger}, after ${after} ms`, async t => {
      const it = await service(t, idle, linger === undefined ? {} : { linger })
      it.server.on('upgrade', (_, socket) => {
        socket.on('error', () => undefined).write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
      })
      const { socket, received } = await dial(it.port, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')
      await eventually(() => received().includes('101'))
      const closed = once(socket, 'close')
      void it.shutdown()
      await it.env.clock.advance(8_000)
      await it.env.clock.advance(after - 8_000 - 1)
      equal(socket.destroyed, false)
      await it.env.clock.advance(1)
      await inTime(closed)
      deepEqual((await inTime(it.shutdown.finished)).clean, linger === undefined)
    })
  }

  test('cuts off a request that hangs, in time for the cleanup, and says so', async t => {
    const gate = hold()
    const it = await service(t, gate.handler, { cleanup: () => { cleaned = true } })
    let cleaned = false
    const [hanging] = [ask(it.url).catch((error: unknown) => error)]
    await eventually(() => gate.waiting === 1)
    void it.shutdown()
    await it.env.clock.advance(8_000)
    await it.env.clock.advance(14_999)
    deepEqual(it.steps, ['draining', 'stopping'])
    await it.env.clock.advance(1)
    const report = await inTime(it.shutdown.finished)
    deepEqual(report, { reason: 'called', clean: false, duration: 23_000, answered: 0, cut: 1, ended: 0, errors: [] })
    deepEqual([it.steps, cleaned], [['draining', 'stopping', 'cut', 'cleanup', 'done'], true])
    equal((await hanging as NodeJS.ErrnoException).code, 'ECONNRESET')
  })

  test('cuts off a call of the client that outlasts it', async t => {
    const it = await service(t, idle)
    it.upstream.handle(hold().handler)
    const call = failure(it.client.upstream('payments').get('/', { deadline: 60_000 }), Error)
    await eventually(() => it.upstream.hits === 1)
    void it.shutdown()
    await it.env.clock.advance(8_000)
    await eventually(() => it.steps.includes('closing'))
    await it.env.clock.advance(15_000)
    equal((await inTime(it.shutdown.finished)).clean, false)
    equal((await inTime(call)).name, 'ConnectionError')
  })

  test('answers all requests of a pipeline, also those that come during the drain, and the last one takes leave', async t => {
    const waiting: http.ServerResponse[] = []
    const it = await service(t, (_, response) => { waiting.push(response) })
    const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
    const { socket, received } = await dial(it.port, GET.repeat(3))
    await eventually(() => waiting.length === 3)
    void it.shutdown()
    socket.write(GET)
    await eventually(() => waiting.length === 4)
    const closed = once(socket, 'close')
    for (const response of waiting) response.end('ok')
    await inTime(closed)
    equal(received().match(/200 OK/g)?.length, 4)
    equal(received().match(/connection: close/gi)?.length, 1)
    match(received().slice(received().lastIndexOf('HTTP/1.1')), /connection: close/i)
    await it.env.clock.advance(8_000)
    const { clean, answered, cut } = await inTime(it.shutdown.finished)
    deepEqual({ clean, answered, cut }, { clean: true, answered: 4, cut: 0 })
  })

  test('counts a request as cut that came behind the one that took leave', async t => {
    const waiting: http.ServerResponse[] = []
    const it = await service(t, (_, response) => { waiting.push(response) })
    const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
    const { socket, received } = await dial(it.port, GET)
    await eventually(() => waiting.length === 1)
    void it.shutdown()
    waiting[0]?.write('o')
    socket.write(GET)
    await eventually(() => waiting.length === 2)
    const closed = once(socket, 'close')
    for (const response of waiting) response.end('k')
    await inTime(closed)
    equal(received().match(/200 OK/g)?.length, 1)
    await it.env.clock.advance(8_000)
    const { clean, answered, cut } = await inTime(it.shutdown.finished)
    deepEqual({ clean, answered, cut }, { clean: false, answered: 1, cut: 1 })
  })

  test('does not wait for a request whose client has gone', async t => {
    const gate = hold()
    const it = await service(t, gate.handler)
    const { socket } = await dial(it.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => gate.waiting === 2)
    void it.shutdown()
    await it.env.clock.advance(8_000)
    socket.destroy()
    const { clean, answered } = await inTime(it.shutdown.finished)
    deepEqual({ clean, answered }, { clean: true, answered: 0 })
  })

  test('is not kept by a cleanup that hangs, nor by one that throws, nor by a listener that does', async t => {
    const hangs = await service(t, idle, { cleanup: () => new Promise(() => undefined) })
    void hangs.shutdown()
    await hangs.env.clock.advance(8_000)
    await eventually(() => hangs.steps.includes('cleanup'))
    await hangs.env.clock.advance(17_000)
    const { clean, duration, errors } = await inTime(hangs.shutdown.finished)
    deepEqual([clean, duration, String(errors[0])], [false, 25_000, 'Error: cleanup did not finish before the shutdown timeout'])

    const throws = await service(t, idle, {
      grace: 0,
      cleanup: () => { throw new Error('no database') },
      onStep: ({ step }) => { if (step === 'draining') throw new Error('no log') },
    })
    void throws.shutdown()
    await throws.env.clock.advance(0)
    const report = await inTime(throws.shutdown.finished)
    deepEqual([report.clean, report.errors.map(String)], [false, ['Error: no log', 'Error: no database']])
  })

  test('goes over TLS just the same, a handshake that never comes included', async t => {
    const gate = hold(idle)
    const it = await service(t, gate.handler, {}, true)
    const slow = ask(it.url)
    const { socket } = await dial(it.port)
    await eventually(() => gate.waiting === 1)
    void it.shutdown()
    await it.env.clock.advance(9_000)
    gate.release()
    equal((await slow).connection, 'close')
    equal((await inTime(it.shutdown.finished)).clean, true)
    await inTime(once(socket, 'close'))
  })

  test('takes several servers and clients, one that never listened too', async t => {
    const env = testEnv()
    const servers = [1, 2, 3].map(() => http.createServer((_, response) => void response.end('ok')))
    const clients = [createClient(), createClient()]
    const shutdown = gracefulShutdown(servers, clients, { signals: [], env })
    const ports = await Promise.all(servers.slice(1).map(server => listen(server)))
    t.after(() => { for (const server of servers) server.close() })
    void shutdown()
    equal(clients.every(client => createHealth(client).report().status === 'fail'), true)
    await env.clock.advance(8_000)
    equal((await inTime(shutdown.finished)).clean, true)
    deepEqual(await Promise.all(ports.map(accepts)), [false, false])
  })

  test('has Fastify close last, by the cleanup', async t => {
    const env = testEnv()
    const client = createClient()
    const app = fastify()
    let isClosed = false
    app.get('/', () => 'ok').addHook('onClose', (_, done) => {
      isClosed = true
      done()
    })
    const shutdown = gracefulShutdown(app.server, client, { signals: [], env, cleanup: () => app.close() })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    t.after(() => app.close())
    void shutdown()
    deepEqual(await ask(url), { status: 200, connection: 'close', body: 'ok' })
    await env.clock.advance(8_000)
    deepEqual([(await inTime(shutdown.finished)).errors, isClosed], [[], true])
  })

  test('is one, however often it is called', async t => {
    const it = await service(t, idle, { grace: 0 })
    equal(it.shutdown(), it.shutdown())
    equal(it.shutdown(), it.shutdown.finished)
    await it.env.clock.advance(0)
    await inTime(it.shutdown())
    deepEqual(it.steps, ['draining', 'stopping', 'closing', 'done'])
  })

  test('refuses options that make no sense', () => {
    const server = http.createServer()
    const client = createClient()
    for (const [options, option] of [
      [{ grace: -1 }, 'grace'], [{ grace: 25_000 }, 'grace'], [{ timeout: Infinity }, 'timeout'], [{ linger: -1 }, 'linger'],
      [{ signals: 'SIGTERM' }, 'signals'], [{ signals: ['SIGNAL'] }, 'signals[0]'],
      [{ signals: ['SIGTERM', 'SIGKILL'] }, 'signals[1]'],
      [{ exit: 1 }, 'exit'], [{ cleanup: 1 }, 'cleanup'], [{ onStep: {} }, 'onStep'], [{ delay: 1 }, 'delay'],
    ] as const) throws(() => gracefulShutdown(server, client, options as never), { name: OptionError.name, option })
    for (const given of [{}, undefined, [server, null]]) {
      throws(() => gracefulShutdown(given as never, client, { signals: [] }), { option: 'server' })
    }
    throws(() => gracefulShutdown(server, undefined as never, { signals: [] }), { option: 'client' })
    deepEqual([process.listenerCount('SIGTERM'), server.listenerCount('request')], [0, 0], 'nothing is left of them')
  })
})

describe('signals', () => {
  afterEach(() => deepEqual([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')], [0, 0]))
  const both: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']

  test('begin it; one that follows at once is an echo, a later one cuts it short', async t => {
    const gate = hold()
    const it = await service(t, gate.handler, { signals: both, exit: false })
    const hanging = ask(it.url).catch((error: unknown) => error)
    await eventually(() => gate.waiting === 1)
    process.emit('SIGTERM', 'SIGTERM')
    process.emit('SIGTERM', 'SIGTERM')
    await it.env.clock.advance(249)
    process.emit('SIGTERM', 'SIGTERM')
    await it.env.clock.advance(1)
    deepEqual(it.steps, ['draining'])
    process.emit('SIGINT', 'SIGINT')
    const { reason, clean, duration, cut } = await inTime(it.shutdown.finished)
    deepEqual({ reason, clean, duration, cut }, { reason: 'SIGTERM', clean: false, duration: 250, cut: 1 })
    equal((await hanging as NodeJS.ErrnoException).code, 'ECONNRESET')
    equal(await accepts(it.port), false)
  })

  test('after a call only let the process exit in the end: who calls in a preStop hook gets a SIGTERM soon after', async t => {
    const it = await service(t, idle, { signals: both, exit: false })
    void it.shutdown()
    await it.env.clock.advance(5_000)
    process.emit('SIGTERM', 'SIGTERM')
    deepEqual(it.steps, ['draining'])
    await it.env.clock.advance(3_000)
    const { reason, clean, duration } = await inTime(it.shutdown.finished)
    deepEqual({ reason, clean, duration }, { reason: 'called', clean: true, duration: 8_000 })
  })

  test('from a terminal need no grace: nobody balances load there', async t => {
    const it = await service(t, idle, { signals: both, exit: false })
    process.emit('SIGINT', 'SIGINT')
    await it.env.clock.advance(0)
    const { reason, duration } = await inTime(it.shutdown.finished)
    deepEqual({ reason, duration }, { reason: 'SIGINT', duration: 0 })
  })

  test('are let go by uninstall()', async t => {
    const it = await service(t, idle, { signals: both })
    deepEqual([process.listenerCount('SIGTERM'), it.server.listenerCount('request')], [1, 2])
    it.shutdown.uninstall()
    deepEqual([process.listenerCount('SIGTERM'), it.server.listenerCount('request')], [0, 1])
  })
})
