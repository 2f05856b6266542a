import { deepEqual, equal } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { suite, test } from 'node:test'
import { createClient } from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { hold, startServer } from '../support/server.ts'

const NOWHERE = 'http://127.0.0.1:1'
const endless = (): Readable => new Readable({ read() { this.push('x') } })

suite('a stream given as a body is destroyed when its call ends with an error before it is sent', () => {
  test('as no connection can be made, the circuit is open, or the origin may not be called', async t => {
    const options = { retry: false, allow: [NOWHERE], upstreams: { u: { url: NOWHERE } } } as const
    const client = await closing(t, createClient(options))
    const codes: unknown[] = []
    const post = async (url: string): Promise<void> => {
      const body = endless()
      codes.push((await failure(client.post(url, { body }), Error) as { code?: unknown }).code)
      await eventually(() => body.destroyed)
    }
    await post(NOWHERE)
    client.upstream('u').isolate()
    await post(NOWHERE)
    await post('http://127.0.0.1:2')
    deepEqual(codes, ['ERR_CONNECTION', 'ERR_CIRCUIT_OPEN', 'ERR_OPTION'])
  })

  test('as there is no permit, or the client is closing', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    const client = await closing(t, createClient({ retry: false, limit: { max: 1, queue: 0, adaptive: false } }))
    const busy = client.get(server.url)
    await eventually(() => gate.waiting === 1)
    const bodies = [endless(), endless()]
    await failure(client.post(server.url, { body: bodies[0]! }), Error)
    const closed = client.close()
    await failure(client.post(server.url, { body: bodies[1]! }), Error)
    gate.release()
    await Promise.all([busy, closed])
    deepEqual(bodies.map(body => body.destroyed), [true, true])
  })

  test('and so is a web stream cancelled', async t => {
    const client = await closing(t, createClient({ upstreams: { u: { url: NOWHERE } } }))
    client.upstream('u').isolate()
    let cancelled = 0
    const body = new ReadableStream<Uint8Array>({ cancel() { cancelled++ } })
    await failure(client.upstream('u').post('/', { body }), Error)
    equal(cancelled, 1)
  })
})
