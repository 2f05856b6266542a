import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createSecureServer, constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { suite, test, type TestContext } from 'node:test'
import { closing, eventually, inTime } from '../support/check.ts'
import { startPeer } from '../support/dispatching.ts'
import { startGateway, type GatewayUnderTest } from '../support/gateway-under-test.ts'
import { echo, hold, listen, startServer, tls, type Echo } from '../support/server.ts'

interface Answer { status: number; text: string; trailers: OutgoingHttpHeaders; reset: number }

/** A gateway behind a server of node:http2, and a session with it. */
const startFront = async (t: TestContext, upstream: string): Promise<{ session: ClientHttp2Session; it: GatewayUnderTest }> => {
  const it = await closing(t, startGateway(upstream))
  const server = createSecureServer(tls, it.gateway as never)
  const session = connect(`https://127.0.0.1:${await listen(server)}`, { rejectUnauthorized: false })
  session.on('error', () => {})
  t.after(() => {
    session.destroy()
    server.close()
  })
  return { session, it }
}

const ask = async (session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> => {
  const stream = session.request(headers)
  const answer: Answer = { status: 0, text: '', trailers: {}, reset: 0 }
  stream.on('response', fields => { answer.status = fields[':status'] ?? 0 }).on('error', () => {})
  stream.on('trailers', (fields: OutgoingHttpHeaders) => { answer.trailers = { ...fields } })
  stream.on('data', (chunk: Buffer) => { answer.text += String(chunk) })
  stream.end(body)
  await inTime(new Promise(resolve => { stream.once('close', resolve) }))
  return { ...answer, reset: stream.rstCode }
}

suite('a gateway behind a server of node:http2', () => {
  test('forwards a body without a length, the host and one cookie', async t => {
    const server = await closing(t, startServer(echo))
    const { session } = await startFront(t, server.url)
    const fields = { ':path': '/a?b', ':method': 'POST', ':authority': 'shop.example', 'cookie': ['a=1', 'b=2'] }
    const { status, text } = await ask(session, fields, Buffer.alloc(1_000, 'x'))
    const { url, headers, body } = JSON.parse(text) as Echo
    deepEqual([status, url, body.length, headers['x-forwarded-host']], [200, '/a?b', 1_000, 'shop.example'])
    deepEqual([headers['cookie'], headers['x-forwarded-proto']], ['a=1; b=2', 'https'])
    match(String(headers['forwarded']), /host="shop\.example";proto=https$/)
    equal((await ask(session, { ':path': '/', ':authority': 'a', 'host': 'b' })).status, 400)
  })

  test('forwards trailers, and resets the stream of a response that breaks off', async t => {
    const peer = await closing(t, startPeer())
    const { session } = await startFront(t, peer.url)
    const whole = await ask(session, { ':path': '/trailers' })
    deepEqual([whole.text, whole.trailers['x-sum'], whole.reset], ['one two', '7', 0])
    const server = await closing(t, startServer((request, response) => {
      response.write('half', () => { request.socket.destroy() })
    }))
    const cut = await ask((await startFront(t, server.url)).session, { ':path': '/' })
    deepEqual([cut.status, cut.text, cut.reset], [200, 'half', constants.NGHTTP2_INTERNAL_ERROR])
  })

  test('ends the call of a client that resets its stream', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const { session, it } = await startFront(t, server.url)
    const stream = session.request({ ':path': '/' }).on('error', () => {})
    await eventually(() => gate.waiting === 1)
    stream.close(constants.NGHTTP2_CANCEL)
    await once(stream, 'close')
    await eventually(() => it.inFlight() === 0)
    ok(!session.destroyed)
  })
})
