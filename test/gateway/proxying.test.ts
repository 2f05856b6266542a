import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as nodeRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import express from 'express'
import { request, type Dispatcher } from 'undici'
import { ForwardingHandler } from '../../src/gateway/forwarding-handler.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { gatewayPolicy } from '../../src/gateway/options.ts'
import { createClient, OptionError } from '../../src/index.ts'
import { closing, eventually, inTime, settle } from '../support/check.ts'
import { startPeer } from '../support/dispatching.ts'
import { ask, startGateway, talk } from '../support/gateway-under-test.ts'
import { closeDelimited, startHostile } from '../support/hostile.ts'
import { echo, hold, listen, startServer, status, stream, type Echo } from '../support/server.ts'

const seen = (text: string): Echo => JSON.parse(text) as Echo

suite('a gateway passes requests on', () => {
  test('with method, path, query, fields and body, and the upstream’s own host', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const answer = await ask(`${gateway.url}/a/b?c=d&c=e`, { method: 'PATCH', headers: { 'x-own': 'yes' }, body: 'hello' })
    const { method, url, headers, body } = seen(answer.text)
    deepEqual([answer.status, method, url, headers['x-own'], body], [200, 'PATCH', '/a/b?c=d&c=e', 'yes', 'hello'])
    deepEqual([headers.host, headers.via, headers['content-length']], [new URL(server.url).host, '1.1 breakwater', '5'])
    equal(answer.headers.via, '1.1 breakwater')
    equal(answer.headers['proxy-status'], undefined)
  })

  test('with the fields that its options set for the upstream, whatever the request says of them', async t => {
    const server = await closing(t, startServer(echo))
    const own = { upstreams: { up: { url: server.url, headers: { 'authorization': 'of the service', 'x_role': 'guest' } } } }
    const gateway = await closing(t, startGateway(server.url, {}, own))
    const lies = {
      'authorization': 'of the client', 'x-role': 'admin', 'X_Role': 'admin', 'x.role': 'admin', 'content_length': '1',
    }
    const { headers } = seen((await ask(gateway.url, { headers: { ...lies, 'x-own': 'yes' } })).text)
    deepEqual([headers.authorization, headers['x-own']], ['of the service', 'yes'])
    const names = Object.keys(headers).filter(name => /role|content/.test(name))
    deepEqual([names, headers['x_role']], [['x_role'], 'guest'], 'nor a name that applications take for the same')
  })

  test('and tells who asked, whatever the request says of it', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const lies = {
      'forwarded': 'for=1.1.1.1', 'x-forwarded-for': '1.1.1.1', 'x_forwarded_proto': 'https', 'x-forwarded-port': '1',
      'x-real-ip': '1.1.1.1',
    }
    const { headers } = seen((await ask(gateway.url, { headers: { ...lies, host: 'shop.example:80' } })).text)
    equal(headers['forwarded'], 'for=127.0.0.1;host="shop.example:80";proto=http')
    deepEqual(
      ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', ...Object.keys(lies).slice(2)].map(name => headers[name]),
      ['127.0.0.1', 'shop.example:80', 'http', undefined, undefined, undefined],
    )
  })

  test('behind proxies of ours it adds to what they say', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url, { forwarded: 'append' }))
    const told = {
      'forwarded': 'for=1.1.1.1', 'x-forwarded-for': '1.1.1.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a.example',
    }
    const { headers } = seen((await ask(gateway.url, { headers: told })).text)
    match(String(headers['forwarded']), /^for=1\.1\.1\.1, for=127\.0\.0\.1;host="[^"]+";proto=http$/)
    deepEqual(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'].map(name => headers[name]),
      ['1.1.1.1, 127.0.0.1', 'https', 'a.example'],
    )
  })

  test('or says nothing of who asked', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url, { forwarded: false }))
    const { headers } = seen((await ask(gateway.url, { headers: { 'x-forwarded-for': '1.1.1.1' } })).text)
    deepEqual(Object.keys(headers).filter(name => name.includes('forwarded')), [])
  })

  test('to another path if that is wanted', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url, { path: path => `/v2${path}` }))
    equal(seen((await ask(`${gateway.url}/x?y`)).text).url, '/v2/x?y')
  })

  test('but to none that option makes lead outside what it was meant for', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url, { path: path => path.replace(/^\/static/, '/files/') }))
    const { heard } = await talk(gateway.port, 'GET /static../secret HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    match(heard, /^HTTP\/1\.1 400 /)
    equal(server.hits, 0)
  })

  test('and a host in the target chooses nothing', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const { heard } = await talk(gateway.port, 'GET http://evil.example/x?y HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n')
    match(heard, /^HTTP\/1\.1 200 /)
    match(heard, new RegExp(`"url":"/x\\?y".*"host":"${new URL(server.url).host}"`))
    equal(gateway.client.snapshot().length, 1)
  })

  test('and a target that is no path is refused', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const { heard } = await talk(gateway.port, 'OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    match(heard, /^HTTP\/1\.1 400 /)
    equal(server.hits, 0)
  })

  test('each to the upstream a function chooses, or to nobody', async t => {
    const one = await closing(t, startServer(status(200, {}, 'one')))
    const two = await closing(t, startServer(status(200, {}, 'two')))
    const choose = ({ url }: IncomingMessage): string | undefined => ({ '/one': 'up', '/two': two.url })[url ?? '']
    const gateway = await closing(t, startGateway(one.url, { upstream: choose }))
    deepEqual([(await ask(`${gateway.url}/one`)).text, (await ask(`${gateway.url}/two`)).text], ['one', 'two'])
    const answer = await ask(`${gateway.url}/three`)
    deepEqual([answer.status, answer.headers['proxy-status']], [404, 'breakwater; error=destination_not_found'])
  })

  test('and a chunked body in chunks, never with a length too', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const sent = nodeRequest(gateway.url, { method: 'POST', agent: false })
    sent.write('one ')
    sent.end('two')
    const [answer] = await once(sent, 'response') as [AsyncIterable<Buffer>]
    let text = ''
    for await (const chunk of answer) text += String(chunk)
    const { headers, body } = seen(text)
    deepEqual([headers['transfer-encoding'], headers['content-length'], body], ['chunked', undefined, 'one two'])
  })

  test('and refuses a body that something has read before', async t => {
    const server = await closing(t, startServer(echo))
    const client = await closing(t, createClient({ upstreams: { up: { url: server.url } } }))
    const errors: unknown[] = []
    const app = express().use(express.json(), createGateway(client, { upstream: 'up', onError: error => { errors.push(error) } }))
    const http = app.listen(0)
    t.after(() => { http.close() })
    await once(http, 'listening')
    const { port } = http.address() as { port: number }
    const headers = { 'content-type': 'application/json' }
    const answer = await ask(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}', headers })
    equal(answer.status, 500)
    equal(answer.headers['proxy-status'], 'breakwater; error=proxy_configuration_error; next-hop=up')
    ok(errors[0] instanceof OptionError)
  })

  test('in Express, beneath a path and beside other handlers', async t => {
    const server = await closing(t, startServer(echo))
    const client = await closing(t, createClient({ upstreams: { up: { url: server.url } } }))
    const upstream = ({ url }: IncomingMessage): string | undefined => (url?.startsWith('/mine') === true ? 'up' : undefined)
    const app = express().use('/api', createGateway(client, { upstream })).use((_req, res) => { res.send('ours') })
    const http = app.listen(0)
    t.after(() => { http.close() })
    await once(http, 'listening')
    const { port } = http.address() as { port: number }
    const answer = await ask(`http://127.0.0.1:${port}/api/mine`, { method: 'POST', body: 'x' })
    deepEqual([answer.status, seen(answer.text).url, seen(answer.text).body], [200, '/mine', 'x'])
    equal((await ask(`http://127.0.0.1:${port}/api/other`)).text, 'ours')
  })
})

suite('a gateway passes answers on', () => {
  test('with status, repeated fields and trailers', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url))
    const { statusCode, body, trailers } = await request(`${gateway.url}/trailers`, { reset: true })
    deepEqual([statusCode, await body.text(), trailers], [200, 'one two', { 'x-sum': '7' }])
    deepEqual((await ask(`${gateway.url}/echo`)).headers['set-cookie'], ['a=1', 'b=2'])
  })

  test('coded as they are', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url))
    equal((await ask(`${gateway.url}/gzip`)).headers['content-encoding'], 'gzip')
  })

  const bodiless = [['/204', 'GET', 204], ['/304', 'GET', 304], ['/big', 'HEAD', 200], ['/empty', 'GET', 200]] as const
  for (const [path, method, code] of bodiless) {
    test(`without a body: ${method} ${path}`, async t => {
      const peer = await closing(t, startPeer())
      const gateway = await closing(t, startGateway(peer.url))
      const both = `${method} ${path} HTTP/1.1\r\nhost: a\r\n\r\n${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`
      const { heard } = await talk(gateway.port, both)
      const heads = heard.split('\r\n\r\n').filter(text => text !== '')
      deepEqual(heads.map(text => text.slice(0, 12)), [`HTTP/1.1 ${code}`, `HTTP/1.1 ${code}`])
      if (code === 204) ok(!/content-length/i.test(heard))
    })
  }

  test('and early hints before them', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url))
    const { heard } = await talk(gateway.port, 'GET /hints HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    match(heard, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/i)
  })

  test('their header at once, while the body is yet to come', async t => {
    const peer = await closing(t, startPeer())
    const gateway = await closing(t, startGateway(peer.url))
    const { statusCode, body } = await inTime(request(`${gateway.url}/events`, { reset: true }))
    const first = await inTime(once(body, 'data')) as [Buffer]
    deepEqual([statusCode, String(first[0]).slice(0, 11)], [200, 'event: tide'])
    body.on('error', () => {}).destroy()
    await eventually(() => gateway.inFlight() === 0)
  })

  test('whole, however slowly the client takes them', async t => {
    const server = await closing(t, startServer(stream(Array<string>(300).fill('x'.repeat(65_536)))))
    const gateway = await closing(t, startGateway(server.url))
    const { body } = await request(gateway.url, { reset: true, highWaterMark: 1 })
    let bytes = 0
    for await (const part of body) {
      bytes += (part as Buffer).length
      await settle()
    }
    equal(bytes, 300 * 65_536)
  })

  test('no faster than the client takes them; one that takes nothing loses its connection', async t => {
    let taken = 0
    function* chunks(): Generator<string> {
      for (; taken < 2_000; taken++) yield 'x'.repeat(65_536)
    }
    const server = await closing(t, startServer(stream(chunks())))
    const gateway = await closing(t, startGateway(server.url, { clientTimeout: 100 }))
    const socket = connect(gateway.port, '127.0.0.1').on('error', () => {})
    t.after(() => { socket.destroy() })
    socket.pause().write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => gateway.inFlight() === 1)
    await eventually(() => gateway.inFlight() === 0)
    ok(taken < 1_000, `${taken} chunks were taken by nobody`)
    deepEqual([gateway.errors, gateway.client.upstream('up').snapshot().endpoints[0]?.failureRate], [[], 0])
  })

  test('and what is left of them when the upstream is done does not wait for ever either', async t => {
    const server = await closing(t, startServer(status(200, {}, 'x'.repeat(60_000))))
    const gateway = await closing(t, startGateway(server.url, { clientTimeout: 100 }))
    const socket = connect(gateway.port, '127.0.0.1').on('error', () => {})
    t.after(() => { socket.destroy() })
    // All together more than the system takes for a client that reads none of it.
    socket.pause().write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(200))
    await eventually(() => gateway.connections() === 1)
    await eventually(() => gateway.connections() === 0, { within: 5_000 })
    deepEqual([gateway.inFlight(), gateway.errors], [0, []])
  })

  test('but none with a field that HTTP has no place for', async t => {
    const server = createServer((req, res) => {
      const policy = gatewayPolicy({ upstream: 'up' })
      const answer = new ForwardingHandler({ req, res, policy, upstream: 'up', body: undefined })
      const controller: Dispatcher.DispatchController = {
        aborted: false, paused: false, reason: null, rawHeaders: ['x-own', 'a\nb'],
        abort: reason => { reasons.push(reason) }, pause() {}, resume() {},
      }
      answer.onRequestStart(controller)
      answer.onResponseStart(controller, 200, {})
      answer.onResponseData(controller, Buffer.from('more'))
    })
    const reasons: unknown[] = []
    const port = await listen(server)
    t.after(() => { server.close() })
    const { status: code, headers } = await ask(`http://127.0.0.1:${port}/`)
    deepEqual([code, headers['proxy-status'], reasons.length], [502, 'breakwater; error=http_protocol_error; next-hop=up', 1])
  })

  test('and whoever goes away takes the call along, which nobody holds against the upstream', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const gateway = await closing(t, startGateway(server.url, {}, { breaker: { consecutive: 1 } }))
    for (const method of ['GET', 'POST']) {
      const hits = server.hits
      const sent = nodeRequest(gateway.url, { method, agent: false }).on('error', () => {})
      if (method === 'POST') sent.write('begun')
      else sent.end()
      await eventually(() => server.hits === hits + 1)
      sent.destroy()
      await eventually(() => gateway.inFlight() === 0)
    }
    const [endpoint] = gateway.client.upstream('up').snapshot().endpoints
    deepEqual([endpoint?.circuit, endpoint?.failureRate, gateway.errors], ['closed', 0, []])
  })

  test('one without a length that breaks off does not end well, even for HTTP/1.0', async t => {
    const server = await closing(t, startHostile(closeDelimited('only this', 'reset')))
    const gateway = await closing(t, startGateway(server.url))
    for (const version of ['1.0', '1.1']) {
      const { heard, error } = await talk(gateway.port, `GET / HTTP/${version}\r\nhost: a\r\n\r\n`)
      if (version === '1.0') equal(error, 'ECONNRESET')
      else match(heard, /^HTTP\/1\.1 200 [^]*only this\r\n$/)
    }
    equal(gateway.errors.length, 2)
  })

  test('to the next request of a connection too, when the last one’s body was not wanted', async t => {
    const gateway = await closing(t, startGateway('http://127.0.0.1:1'))
    const large = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`
    const { heard } = await talk(gateway.port, `${large}GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
    equal(heard.match(/HTTP\/1\.1 502 /g)?.length, 2)
  })
})

test('options that make no sense are refused at once', async t => {
  const client = await closing(t, createClient({ upstreams: { up: { url: 'http://127.0.0.1:1' } }, allow: ['http://127.0.0.1:1'] }))
  const wrong = (options: object, message: RegExp): void => {
    try {
      createGateway(client, options as never)
    } catch (error) {
      ok(error instanceof OptionError)
      match(error.message, message)
      return
    }
    throw new Error(`not refused: ${message}`)
  }
  wrong({}, /^`upstream` must be the name or origin of an upstream, or a function that returns one, got undefined$/)
  wrong({ upstream: 'down' }, /^unknown upstream 'down': expected one of up$/)
  wrong({ upstream: 'http://127.0.0.1:2' }, /^`upstream` may not be called: the client's `allow` option does not permit it$/)
  wrong({ upstream: 'up', via: 'two words' }, /^`via` must be a token/)
  wrong({ upstream: 'up', forwarded: true }, /^`forwarded` must be 'replace'/)
  wrong({ upstream: 'up', clientTimeout: 0 }, /^`clientTimeout` must be a number of ms/)
  wrong({ upstream: 'up', host: 'x' }, /^unknown option `host`: expected one of upstream, path/)
})
