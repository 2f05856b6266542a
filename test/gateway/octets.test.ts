import { ok } from 'node:assert/strict'
import { createServer } from 'node:net'
import { suite, test, type TestContext } from 'node:test'
import { closing } from '../support/check.ts'
import { startGateway, talk } from '../support/gateway-under-test.ts'
import { listen } from '../support/server.ts'

/** An upstream that responds with these bytes to anything, and what it has received. */
const startBytes = async (t: TestContext, bytes: Buffer): Promise<{ url: string; received(): string }> => {
  let received = ''
  const server = createServer(socket => {
    socket.on('error', () => {}).on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      socket.end(bytes)
    })
  })
  const port = await listen(server)
  t.after(() => { server.close() })
  return { url: `http://127.0.0.1:${port}`, received: () => received }
}

/** A text as the octets of its UTF-8, one character each. */
const octets = (text: string): string => Buffer.from(text).toString('latin1')

suite('the octets of a field stay as they are', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n'
  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'
  const responses = {
    'in a response': ['Location: /résumé', `${OK}Location: /résumé\r\n\r\nok`],
    'in a file name behind a length': ['filename="中é.pdf"', `${OK}Content-Disposition: attachment; filename="中é.pdf"\r\n\r\nok`],
    'in chunks': ['X-Own: é', `${CHUNKED}X-Own: é\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
    'in a trailer': ['x-sum: é', `${CHUNKED}Trailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: é\r\n\r\n`],
    'without a body': ['X-Own: é', 'HTTP/1.1 304 Not Modified\r\nX-Own: é\r\n\r\n'],
    'without a length': ['X-Own: é', 'HTTP/1.1 200 OK\r\nX-Own: é\r\n\r\nok'],
  }
  for (const [name, [field = '', response = '']] of Object.entries(responses)) {
    test(name, async t => {
      const upstream = await startBytes(t, Buffer.from(response))
      const gateway = await closing(t, startGateway(upstream.url))
      const { heard } = await talk(gateway.port, 'GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close\r\n\r\n')
      ok(heard.includes(octets(field)), heard)
    })
  }

  test('in the response to an upgrade', async t => {
    const switching = 'HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\nx-own: é\r\n\r\nfirst é'
    const upstream = await startBytes(t, Buffer.from(switching))
    const gateway = await closing(t, startGateway(upstream.url))
    const { heard } = await talk(gateway.port, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    ok(heard.includes(octets('x-own: é\r\n')) && heard.endsWith(octets('first é')), heard)
  })

  test('in a request', async t => {
    const upstream = await startBytes(t, Buffer.from(`${OK}\r\nok`))
    const gateway = await closing(t, startGateway(upstream.url))
    await talk(gateway.port, Buffer.from('GET / HTTP/1.1\r\nhost: a\r\nx-own: é 中\r\nconnection: close\r\n\r\n'))
    ok(upstream.received().includes(octets('x-own: é 中\r\n')), upstream.received())
  })
})
