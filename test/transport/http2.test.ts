import { deepEqual, equal, match } from 'node:assert/strict'
import { once } from 'node:events'
import { constants, createSecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import { request } from 'undici'
import {
  ConnectionError, createClient, OptionError, ResponseError, UpstreamError, type Client, type ClientOptions,
} from '../../src/index.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { startFrames, type FrameServer, type FrameWriter } from '../support/h2-frames.ts'
import { byPath, echo, hold, startServer, status, tls } from '../support/server.ts'

/* What only HTTP/2 can do to a call: streams that are refused or reset beside others, and sessions that many calls share. */

const http2 = { pool: { http2: true, tls: { ca: tls.cert } } }
const frames = async (
  t: TestContext, onRequest: (id: number, writer: FrameWriter) => void, options: ClientOptions = {},
): Promise<[FrameServer, Client]> =>
  [await closing(t, startFrames(onRequest)), await closing(t, createClient({ ...http2, ...options }))]
const circuitOf = (client: Client): string => client.snapshot()[0]!.endpoints[0]!.circuit
const answer = (id: number, writer: FrameWriter, body = 'whole'): void => {
  writer.headers(id)
  writer.data(id, body, true)
}

/** Every way to read a body to its end. */
const faces: Record<string, (client: Client, url: string) => Promise<string>> = {
  'client.post()': async (client, url) => (await client.post(url, { body: 'x' })).text(),
  'client.get()': async (client, url) => (await client.get(url)).text(),
  'client.stream()': async (client, url) => text((await client.stream('GET', url)).body),
  'client.dispatcher()': async (client, url) => (await request(url, { dispatcher: client.dispatcher() })).body.text(),
}

suite('a GOAWAY', () => {
  test('leaves requests unprocessed, which are sent again whatever their method, and blames nobody', async t => {
    const PER_CONNECTION = 3
    const [server, client] = await frames(t, (id, writer) => {
      if (writer.requests <= PER_CONNECTION) answer(id, writer)
      else if (writer.requests === PER_CONNECTION + 1) {
        writer.goAway(2 * PER_CONNECTION - 1, constants.NGHTTP2_NO_ERROR)
        writer.socket.end()
      }
    })
    const replies = await Promise.all(Array.from({ length: 12 }, () => client.post(server.url, { body: 'x' })))
    deepEqual(replies.map(reply => reply.text()), Array<string>(12).fill('whole'))
    equal(circuitOf(client), 'closed')
  })

  test('with the code of an error is evidence, and still promises that nothing was processed', async t => {
    const [server, client] = await frames(t, (_id, writer) => {
      writer.goAway(0, constants.NGHTTP2_INTERNAL_ERROR)
    }, { retry: false })
    const error = await failure(client.post(server.url, { body: 'x' }), UpstreamError)
    deepEqual([error.code, error.sent, error.verdict], ['ERR_CONNECTION', 'never', 'gateway'])
  })
})

suite('an answer that has begun', () => {
  for (const [face, ask] of Object.entries(faces)) {
    test(`is not sent for again when its stream is refused: ${face}`, async t => {
      const [server, client] = await frames(t, (id, writer) => {
        writer.headers(id)
        writer.data(id, 'half', false)
        writer.reset(id, constants.NGHTTP2_REFUSED_STREAM)
      }, { retry: false })
      const error = await failure(inTime(ask(client, server.url), { within: 4_000 }), ResponseError)
      match(error.message, /truncated/)
      equal(server.requests, 1)
    })
  }
})

suite('a stream that is reset', () => {
  const resets = [['CANCEL', constants.NGHTTP2_CANCEL], ['NO_ERROR', constants.NGHTTP2_NO_ERROR]] as const
  for (const [face, ask] of Object.entries(faces)) {
    for (const [name, code] of resets) {
      test(`with ${name} before its end is truncated: ${face}`, async t => {
        const [server, client] = await frames(t, (id, writer) => {
          writer.headers(id)
          writer.data(id, 'half', false)
          writer.reset(id, code)
        }, { retry: false })
        const error = await failure(inTime(ask(client, server.url), { within: 4_000 }), ResponseError)
        deepEqual([error.message.includes('truncated'), error.verdict], [true, 'gateway'])
      })
    }
  }

  test('after its end is whole, as a server may not need the rest of the request', async t => {
    const [server, client] = await frames(t, (id, writer) => {
      answer(id, writer)
      writer.reset(id, constants.NGHTTP2_NO_ERROR)
    })
    for (const ask of Object.values(faces)) equal(await ask(client, server.url), 'whole')
  })
})

suite('a request that undici refuses', () => {
  for (const protocol of ['http', 'h2'] as const) {
    test(`leaves its connection to those after it: ${protocol}`, async t => {
      const server = await closing(t, startServer({ protocol }))
      const client = await closing(t, createClient({ ...http2, pool: { ...http2.pool, connections: 1 }, deadline: 2_000 }))
      for (let times = 0; times < 3; times++) {
        await failure(client.get(server.url, { headers: { expect: 'nothing known' } }), OptionError)
        equal((await client.get(server.url)).status, 200)
      }
      equal(server.hits, 3)
    })
  }
})

suite('a header field that HTTP/2 forbids', () => {
  const forbidden = { 'te': 'gzip', 'proxy-connection': 'keep-alive', 'http2-settings': 'AAMAAABk' }
  for (const [name, value] of Object.entries(forbidden)) {
    test(`is the caller's mistake, and costs no other call its connection: ${name}`, async t => {
      const gate = hold(status(200))
      const handler = byPath({ '/held': gate.handler, '/': status(200) })
      const server = await closing(t, startServer({ protocol: 'h2', handler }))
      const client = await closing(t, createClient(http2))
      const held = client.get(`${server.url}/held`)
      await eventually(() => gate.waiting === 1)
      const headers = { [name]: value }
      const error = await failure(client.get(server.url, { headers }), OptionError)
      match(error.message, new RegExp(`invalid ${name} header over HTTP/2`))
      await failure(client.stream('GET', server.url, { headers }), OptionError)
      const relayed = await failure(request(server.url, { dispatcher: client.dispatcher(), headers }), Error)
      equal((relayed as { code?: unknown }).code, 'UND_ERR_INVALID_ARG')
      gate.release()
      equal((await held).status, 200)
      equal((await client.get(server.url, { headers: { te: 'trailers' } })).status, 200)
      deepEqual([server.accepted, circuitOf(client)], [1, 'closed'])
    })
  }

  test('is sent over HTTP/1.1', async t => {
    const server = await closing(t, startServer({ protocol: 'https', handler: echo }))
    const client = await closing(t, createClient(http2))
    equal((await client.get(server.url, { headers: forbidden })).status, 200)
    equal(server.hits, 1)
  })
})

suite('a session', () => {
  test('whose peer has vanished is left soon after a call on it has timed out', async t => {
    const [server, client] = await frames(t, (id, writer) => {
      if (server.accepted > 1 || writer.requests === 1) answer(id, writer)
    }, { deadline: 200, retry: false, breaker: false })
    await client.get(server.url)
    await failure(client.get(server.url), UpstreamError)
    await eventually(() => client.get(server.url).then(() => true, () => false), { within: 4_000 })
    equal(server.accepted, 2)
  })

  test('on which only a call was slow is kept', async t => {
    const gate = hold(status(200))
    const server = await closing(t, startServer({ protocol: 'h2', handler: byPath({ '/slow': gate.handler, '/': status(204) }) }))
    const client = await closing(t, createClient({ ...http2, retry: false }))
    await failure(client.get(`${server.url}/slow`, { deadline: 50 }), UpstreamError)
    await failure(client.get(`${server.url}/slow`, { deadline: 1_300 }), UpstreamError)
    equal((await client.get(server.url)).status, 204)
    equal(server.accepted, 1)
    gate.release()
  })
})

suite('a server that allows no streams', () => {
  const none = async (t: TestContext): Promise<string> => {
    const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 0 } })
    const sessions = new Set<ServerHttp2Session>()
    server.on('session', session => { sessions.add(session.on('error', () => {})) }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      for (const session of sessions) session.destroy()
      server.close()
    })
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('does not keep close() waiting for calls that have ended', async t => {
    const client = createClient({ ...http2, deadline: 100, retry: false })
    t.after(() => client.destroy())
    const url = await none(t)
    await Promise.all([1, 2, 3].map(() => failure(client.get(url), UpstreamError)))
    await inTime(client.close(), { within: 4_000 })
  })

  test('fails a call after the connect timeout, as nothing was sent', async t => {
    const client = await closing(t, createClient({ ...http2, pool: { ...http2.pool, connectTimeout: 100 }, retry: false }))
    const error = await failure(inTime(client.post(await none(t), { body: 'x' }), { within: 4_000 }), ConnectionError)
    deepEqual([error.reason, error.sent, error.blame], ['UND_ERR_HEADERS_TIMEOUT', 'never', 'upstream'])
  })

  test('and its limit on headers does not apply to a request that has been sent', async t => {
    const client = await closing(t, createClient({ ...http2, pool: { ...http2.pool, connectTimeout: 400 }, retry: false }))
    const server = await closing(t, startServer({ protocol: 'h2', handler: (_request, response) => {
      setTimeout(() => response.end('late'), 1_500)
    } }))
    equal((await client.get(server.url)).text(), 'late')
    equal(await faces['client.dispatcher()']!(client, server.url), 'late')
  })
})
