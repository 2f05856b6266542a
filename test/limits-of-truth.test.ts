import { deepEqual, equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { connect, request, upgrade } from 'undici'
import {
  ConnectionError, createClient, DeadlineExceededError, OptionError, ResponseError, type Client,
} from '../src/index.ts'
import { closing, eventually, settle } from './support/check.ts'
import { failure } from './support/failure.ts'
import { json, listen, startServer } from './support/server.ts'

/* What docs/limits-of-truth.md says of the limits, so that it stays true, or is changed when it no longer is. */

type Context = Parameters<typeof closing>[0]

/** An upstream that answers a request in bytes of the test's own. */
const raw = async (t: Context, answer: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).once('data', () => answer(socket))
  })
  const port = await listen(server)
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${port}/`
}
const clientFor = (t: Context): Promise<Client> => closing(t, createClient({ retry: false }))

describe('a body that ends with its connection', () => {
  test('cannot be told from half of it when the end is orderly', async t => {
    const url = await raw(t, socket => socket.end('HTTP/1.1 200 OK\r\n\r\nhalf of'))
    equal(await (await clientFor(t)).get(url).text(), 'half of')
  })

  test('is found cut short when the connection is reset', async t => {
    let reset = (): void => {}
    const url = await raw(t, socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf of')
      reset = () => socket.resetAndDestroy()
    })
    const reply = await (await clientFor(t)).stream('GET', url)
    // Not before the bytes are here: Node 22 takes a reset that comes along with the last bytes for an orderly end.
    const read = async (): Promise<void> => {
      for await (const _ of reply.body) reset()
    }
    await failure(read(), ResponseError)
  })

  test('is found cut short when its length was said, or it is chunked', async t => {
    for (const framing of ['content-length: 99\r\n\r\nhalf', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n']) {
      const url = await raw(t, socket => socket.end(`HTTP/1.1 200 OK\r\n${framing}`))
      await failure((await clientFor(t)).get(url), ResponseError)
    }
  })
})

/** A reply of two bytes after so many interim ones. */
const hints = (count: number) => (socket: Socket): void => {
  socket.end(`${'HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n'.repeat(count)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)
}

describe('interim replies', () => {
  test('are dropped, up to 32 of them', async t => {
    const client = await clientFor(t)
    const reply = await client.get(await raw(t, hints(32)))
    deepEqual([reply.status, reply.headers['link'], reply.text()], [200, undefined, 'ok'])
    await failure(client.get(await raw(t, hints(33))), ResponseError)
  })

  test('an unasked 100 is none over HTTP/1.1: undici takes it for a bad response', async t => {
    const answer = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    const url = await raw(t, socket => { socket.write(answer) })
    const { reason, verdict } = await failure((await clientFor(t)).get(url), ConnectionError)
    deepEqual([reason, verdict], ['UND_ERR_SOCKET', 'gateway'])
  })

  test('an upgrade is none: it fails', async t => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'
    await failure((await clientFor(t)).get(await raw(t, socket => socket.end(answer))), ConnectionError)
  })
})

describe("what the client's own methods leave out, its dispatcher passes on", () => {
  test('trailers', async t => {
    const answer = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-checksum: 7\r\n\r\n'
    const url = await raw(t, socket => socket.end(answer))
    const client = await clientFor(t)
    const reply = await client.get(url)
    deepEqual([reply.text(), reply.headers['x-checksum']], ['ok', undefined])
    const { body, trailers } = await request(url, { dispatcher: client.dispatcher() })
    deepEqual([await body.text(), trailers], ['ok', { 'x-checksum': '7' }])
  })

  test('interim replies', async t => {
    const url = await raw(t, hints(1))
    const seen: (number | null)[] = []
    const onInfo = ({ statusCode }: { statusCode: number }): void => { seen.push(statusCode) }
    const { statusCode, body } = await request(url, { dispatcher: (await clientFor(t)).dispatcher(), onInfo })
    deepEqual([...seen, statusCode, await body.text()], [103, 200, 'ok'])
  })

  test('an upgrade', async t => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello'
    const url = await raw(t, socket => socket.write(answer))
    const { socket } = await upgrade(url, { dispatcher: (await clientFor(t)).dispatcher(), protocol: 'echo' })
    const [hello] = await once(socket, 'data') as [Buffer]
    socket.destroy()
    equal(String(hello), 'hello')
  })

  test('a CONNECT', async t => {
    const url = await raw(t, socket => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    const client = await clientFor(t)
    await failure(client.request('CONNECT', url), OptionError)
    const { statusCode, socket } = await connect(url, { dispatcher: client.dispatcher() })
    socket.destroy()
    equal(statusCode, 200)
  })
})

test('an unknown content coding is left as it is', async t => {
  const url = await raw(t, socket => socket.end('HTTP/1.1 200 OK\r\ncontent-encoding: x\r\ncontent-length: 2\r\n\r\nok'))
  equal(await (await clientFor(t)).get(url).text(), 'ok')
})

test('HEAD closes its connection, GET does not', async t => {
  const server = await closing(t, startServer(json({})))
  const client = await clientFor(t)
  const three = async (method: string): Promise<number> => {
    const before = server.accepted
    for (let call = 0; call < 3; call++) {
      await client.request(method, server.url)
      await settle()
    }
    return server.accepted - before
  }
  equal(await three('GET'), 1)
  ok(await three('HEAD') >= 2)
})

test('a stream that nobody reads ends at the deadline, and holds no permit meanwhile', async t => {
  const server = await closing(t, startServer((_, response) => { response.write('a') }))
  const client = await closing(t, createClient({ deadline: 100, upstreams: { api: { url: server.url } } }))
  const api = client.upstream('api')
  const reply = await api.stream('GET', '/')
  const ended = new Promise(resolve => { reply.body.once('error', resolve) })
  const { inFlight, bodies } = api.snapshot().limit
  deepEqual([inFlight, bodies], [0, 1])
  ok(await ended instanceof DeadlineExceededError)
  await eventually(() => api.snapshot().limit.bodies === 0)
})
