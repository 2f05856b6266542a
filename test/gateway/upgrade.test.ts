import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import { connect, createServer, type Socket } from 'node:net'
import { suite, test, type TestContext } from 'node:test'
import { connect as connectSecurely } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import { READS_BODIES } from '../../src/gateway/upgrade.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { OFF, ON, startPeer } from '../support/dispatching.ts'
import { startGateway, talk } from '../support/gateway-under-test.ts'
import { gatewayMissing, startNginx } from '../support/gateways.ts'
import { echo, listen, startServer, tls } from '../support/server.ts'

/** A server of WebSockets that says all it hears twice, and the fields of the requests it has seen. */
const startEcho = async (t: TestContext): Promise<{ url: string; sockets: WebSocketServer; seen: Record<string, unknown>[] }> => {
  const seen: Record<string, unknown>[] = []
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  sockets.on('connection', (socket, { headers }) => {
    seen.push(headers)
    socket.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => { socket.send(data, { binary: isBinary }) })
    socket.send('welcome')
  })
  await once(sockets, 'listening')
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  })
  return { url: `http://127.0.0.1:${(sockets.address() as { port: number }).port}`, sockets, seen }
}

const open = async (t: TestContext, url: string): Promise<WebSocket> => {
  const socket = new WebSocket(url.replace('http', 'ws'), 'chat')
  socket.on('error', () => {})
  t.after(() => { socket.terminate() })
  const [first] = await inTime(once(socket, 'message')) as [Buffer]
  equal(String(first), 'welcome')
  return socket
}

const ASK = (more = ''): string =>
  ['GET /ws HTTP/1.1', 'host: a', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', `${more}\r\n`].join('\r\n')

const H2C = (method: string, more = ''): string =>
  `${method} / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n${more}\r\n`

suite('a WebSocket', () => {
  for (const [name, own] of [['with protections', ON], ['without them', OFF]] as const) {
    test(`goes through, ${name}, with all that is said`, async t => {
      const { url, seen } = await startEcho(t)
      const gateway = await closing(t, startGateway(url, {}, own))
      const socket = await open(t, gateway.url)
      equal(socket.protocol, 'chat')
      const large = Buffer.alloc(3_000_000, 'abc')
      socket.send(large)
      const [back] = await inTime(once(socket, 'message')) as [Buffer]
      ok(large.equals(back))
      const [{ upgrade, connection, via, 'x-forwarded-for': address } = {}] = seen
      deepEqual([upgrade, connection, via, address], ['websocket', 'upgrade', '1.1 breakwater', '127.0.0.1'])
      socket.close(4_001, 'enough')
      const [code, reason] = await inTime(once(socket, 'close')) as [number, Buffer]
      deepEqual([code, String(reason)], [4_001, 'enough'])
      await eventually(() => gateway.inFlight() === 0)
    })
  }

  test('asked for behind another request waits until that is answered', async t => {
    const { url } = await startEcho(t)
    const gateway = await closing(t, startGateway(url))
    const socket = connect(gateway.port, '127.0.0.1')
    t.after(() => { socket.destroy() })
    let heard = ''
    socket.on('data', (chunk: Buffer) => { heard += chunk.toString('latin1') })
    socket.write(`GET /plain HTTP/1.1\r\nhost: a\r\n\r\n${ASK()}`)
    await eventually(() => heard.includes('welcome'))
    match(heard, /^HTTP\/1\.1 426 [^]*HTTP\/1\.1 101 /)
  })

  test('that begins with the bytes behind its request loses none of them', async t => {
    let asked = ''
    const upstream = createServer(peer => {
      peer.on('error', () => {}).on('data', (chunk: Buffer) => {
        if (asked === '') peer.write('HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\nx-own: a\r\n\r\nfirst')
        asked += chunk.toString('latin1')
        if (asked.endsWith('early')) peer.end()
      })
    })
    const port = await listen(upstream)
    t.after(() => { upstream.close() })
    const gateway = await closing(t, startGateway(`http://127.0.0.1:${port}`))
    const { heard } = await talk(gateway.port, `${ASK()}early`)
    match(heard, /^HTTP\/1\.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-own: a\r\n/)
    ok(heard.endsWith('\r\n\r\nfirst'), heard)
    match(asked, /\r\n\r\nearly$/)
  })

  test('ends when the upstream’s end of it does', async t => {
    const { url, sockets } = await startEcho(t)
    const gateway = await closing(t, startGateway(url))
    const socket = await open(t, gateway.url)
    for (const one of sockets.clients) one.terminate()
    deepEqual((await inTime(once(socket, 'close')))[0], 1_006)
  })

  test('ends at the upstream when the client’s end of it does', async t => {
    const { url, sockets } = await startEcho(t)
    const gateway = await closing(t, startGateway(url))
    const socket = await open(t, gateway.url)
    socket.terminate()
    await eventually(() => sockets.clients.size === 0)
  })

  test('ends with the gateway', async t => {
    const { url, sockets } = await startEcho(t)
    const gateway = await closing(t, startGateway(url))
    const socket = await open(t, gateway.url)
    gateway.gateway.close()
    await inTime(once(socket, 'close'))
    await eventually(() => sockets.clients.size === 0)
  })

  test('is one of no more than are wanted', async t => {
    const { url } = await startEcho(t)
    const gateway = await closing(t, startGateway(url, { maxUpgrades: 1 }))
    const socket = await open(t, gateway.url)
    const { heard } = await talk(gateway.port, ASK())
    match(heard, /^HTTP\/1\.1 503 [^]*proxy-status: breakwater; error=connection_limit_reached/)
    socket.terminate()
    await eventually(async () => (await open(t, gateway.url)).readyState === WebSocket.OPEN)
  })

  test('that the upstream does not want gets its answer', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url, { path: () => '/no-upgrade' }))
    const { heard } = await talk(gateway.port, ASK())
    match(heard, /^HTTP\/1\.1 503 [^]*proxy-status: breakwater; next-hop=up; received-status=503[^]*\r\n\r\nbusy$/)
    match(heard, /\r\nconnection: close\r\n/i)
  })

  test('to an upstream that is not there is a 502', async t => {
    const gateway = await closing(t, startGateway('http://127.0.0.1:1'))
    const { heard } = await talk(gateway.port, ASK())
    match(heard, /^HTTP\/1\.1 502 [^]*error=connection_refused/)
  })

  test('is not made of another protocol that the upstream changes to', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url, { path: () => '/echo-protocol' }))
    const { heard } = await talk(gateway.port, ASK())
    match(heard, /^HTTP\/1\.1 502 [^]*error=http_upgrade_failed/)
    equal(gateway.errors.length, 1)
  })

  test('that nobody waits for any more leaves nothing', async t => {
    const silent = createServer(socket => { held.push(socket.on('error', () => {})) })
    const held: Socket[] = []
    const port = await listen(silent)
    t.after(() => {
      for (const socket of held) socket.destroy()
      silent.close()
    })
    const gateway = await closing(t, startGateway(`http://127.0.0.1:${port}`))
    const socket = connect(gateway.port, '127.0.0.1').on('error', () => {})
    socket.write(ASK())
    await eventually(() => gateway.inFlight() === 1 && held.length === 1)
    gateway.gateway.close()
    await eventually(() => gateway.inFlight() === 0)
    deepEqual(gateway.errors, [])
  })
})

suite('a request for any other upgrade', () => {
  test('is answered as if it had not asked', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const { heard } = await talk(gateway.port, H2C('GET', 'http2-settings: AAMAAABkAAQAAP__\r\nconnection: close\r\n'))
    match(heard, /^HTTP\/1\.1 200 /)
    ok(!/"upgrade"|h2c|http2-settings/.test(heard), heard)
  })

  test('is answered with the body that it has, and so are the requests behind it', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const { heard } = await talk(gateway.port, [
      H2C('POST', 'content-length: 5\r\n'), 'first', H2C('POST', 'transfer-encoding: chunked\r\n'), '6\r\nsecond\r\n0\r\n\r\n',
      'GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
    ].join(''))
    // Where Node has read the first body, what follows it is another connection's.
    const all = READS_BODIES ? /"body":"first"/ : /"body":"first"[^]*"body":"second"[^]*"url":"\/last"/
    match(heard, all)
    equal(heard.match(/HTTP\/1\.1 200 OK/g)?.length, READS_BODIES ? 1 : 3)
    if (READS_BODIES) match(heard, /connection: close/i)
  })

  test('is answered with a body that comes later, over TLS too', async t => {
    const server = await closing(t, startServer(echo))
    const { gateway } = await closing(t, startGateway(server.url))
    const secure = createSecureServer(tls, gateway).on('upgrade', gateway.upgrade)
    const port = await listen(secure)
    t.after(() => { secure.close() })
    const socket = connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false })
    let heard = ''
    socket.on('data', (chunk: Buffer) => { heard += String(chunk) })
    socket.write(H2C('POST', 'content-length: 5\r\nconnection: close\r\nexpect: 100-continue\r\n'))
    await eventually(() => heard.includes('100 Continue'))
    socket.write('later')
    await inTime(once(socket, 'close'))
    match(heard, /"body":"later"/)
  })

  test('to a WebSocket is refused if it has a body, which Node does not read then', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const { heard } = await talk(gateway.port, `${ASK('content-length: 5\r\n')}GET /`)
    match(heard, /^HTTP\/1\.1 400 [^]*error=http_request_error/)
    equal(server.hits, 0)
  })
})

test('an nginx that passes no upgrade on lets its upstream refuse', { skip: gatewayMissing('nginx') }, async t => {
  const { url } = await startEcho(t)
  const nginx = await closing(t, startNginx({ upstream: url }))
  const gateway = await closing(t, startGateway(nginx.url))
  const { heard } = await talk(gateway.port, ASK())
  match(heard, /^HTTP\/1\.1 426 Upgrade Required\r\n/)
})
