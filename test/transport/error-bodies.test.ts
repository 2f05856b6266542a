import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createClient, ResponseError, StatusError, type Client } from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { json, startServer, status, type Handler } from '../support/server.ts'

const circuit = (client: Client): unknown[] => {
  const { circuit, failureRate } = client.snapshot()[0]?.endpoints[0] ?? {}
  return [circuit, failureRate]
}

/** Sends a status and the beginning of a body, and no more. */
const endless = (code: number, headers: Record<string, string> = {}): Handler => (_, response) => {
  response.writeHead(code, headers).write('sorry')
}
const page = Buffer.alloc(2_000, 'x')
const flood: Handler = (_, response) => void response.writeHead(503).write(page)
const long: [string, Handler][] = [
  ['announced', status(503, {}, page)], ['not announced', flood],
  ['when decoded', status(503, { 'content-encoding': 'gzip' }, gzipSync(page))],
]

suite('the body of an error status that is longer than maxBodySize', () => {
  for (const [name, handler] of long) {
    test(`does not change what the status proves, nor that it is retried: ${name}`, async t => {
      const server = await closing(t, startServer(handler))
      const client = await closing(t, createClient({ maxBodySize: 1_000, retry: { limit: 1, backoff: 1 } }))
      const error = await failure(client.get(server.url), StatusError)
      deepEqual([error.status, error.attempts, error.verdict, error.stopped], [503, 2, 'gateway', 'limit'])
      ok('x'.repeat(1_024).startsWith(error.body))
      deepEqual(circuit(client), ['closed', 1])
      equal(client.snapshot()[0]?.limit.inFlight, 0)
    })
  }

  for (const [name, handler] of long) {
    test(`counts with its status when it is streamed: ${name}`, async t => {
      const server = await closing(t, startServer(handler))
      const client = await closing(t, createClient({ maxBodySize: 1_000, retry: false }))
      const reply = await client.stream('GET', server.url, { throwOnStatus: false, maxBodySize: 1_000 })
      match((await failure(reply.body.toArray(), ResponseError)).reason, /^body longer than 1000 bytes/)
      await eventually(() => circuit(client)[1] === 1)
    })
  }

  test('is an error for a caller who would get it, which tells the status', async t => {
    const server = await closing(t, startServer(flood))
    const client = await closing(t, createClient({ maxBodySize: 1_000, retry: false, throwOnStatus: false }))
    const error = await failure(client.get(server.url), ResponseError)
    deepEqual([error.reason, error.verdict], ['status 503, body longer than 1000 bytes', 'gateway'])
    deepEqual(circuit(client), ['closed', 1])
  })

  test('is not retried if its status is not, and is no failure if its status is none', async t => {
    const server = await closing(t, startServer(status(404, {}, page)))
    const client = await closing(t, createClient({ maxBodySize: 1_000 }))
    for (const [code, rate] of [[404, 0], [501, 0.5]] as const) {
      server.handle(status(code, {}, page))
      const error = await failure(client.get(server.url), StatusError)
      deepEqual([error.status, error.attempts, ...circuit(client)], [code, 1, 'closed', rate])
    }
  })
})

suite('the body of a status that is retried', () => {
  test('is not waited for to its end', async t => {
    const server = await closing(t, startServer(endless(503)))
    const client = await closing(t, createClient({ deadline: 5_000, retry: { backoff: 1 } }))
    const call = client.get(server.url)
    await eventually(() => server.hits === 1)
    server.handle(json('well'))
    const reply = await call
    deepEqual([reply.json(), reply.attempts], ['well', 2])
    ok(reply.timings.total < 2_000, `${reply.timings.total}`)
    await eventually(() => server.connections <= 1)
  })

  test('is told of where no further attempt follows, with the wait that it asks for', async t => {
    const server = await closing(t, startServer(endless(503, { 'retry-after': '60' })))
    const client = await closing(t, createClient({ deadline: 5_000 }))
    const { status: code, stopped, body } = await failure(client.get(server.url), StatusError)
    deepEqual([code, stopped, body], [503, 'deadline', 'sorry'])
    const whole = await failure(client.get(`${server.url}/whole`, { throwOnStatus: false, retry: { limit: 1 } }), Error)
    ok(!(whole instanceof StatusError))
  })

  test('is waited for in the last attempt, and where its status is not retried', async t => {
    const slow: Handler = (_, response) => {
      response.writeHead(response.req.url === '/not' ? 404 : 503).write('not ')
      setTimeout(() => response.end('yet'), 700)
    }
    const server = await closing(t, startServer(slow))
    const client = await closing(t, createClient({ deadline: 5_000, retry: { limit: 0 } }))
    for (const path of ['/not', '/last']) equal((await failure(client.get(server.url + path), StatusError)).body, 'not yet')
  })
})
