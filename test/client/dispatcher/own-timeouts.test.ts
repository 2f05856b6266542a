import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Agent, errors, request } from 'undici'
import { ConnectionError, createClient, DeadlineExceededError, toGatewayStatus } from '../../../src/index.ts'
import { closing, eventually } from '../../support/check.ts'
import { createTestClock } from '../../support/clock.ts'
import { startPeer } from '../../support/dispatching.ts'
import { failure } from '../../support/failure.ts'

/** One piece of evidence opens the circuit, and a retry would be made at once. */
const TOUCHY = { breaker: { consecutive: 1 }, retry: { backoff: 1, maxBackoff: 1 } } as const

suite('a timeout that a dispatched request sets itself', () => {
  test('is a passed deadline: not retried, 504, and no evidence when the upstream had little time', async t => {
    const peer = await closing(t, startPeer())
    const client = createClient(TOUCHY)
    t.after(() => client.destroy())
    const dispatcher = client.dispatcher()
    const error = await failure(request(`${peer.url}/never`, { dispatcher, headersTimeout: 30 }), DeadlineExceededError)
    deepEqual([error.timeout, error.phase, error.attempts, error.verdict], [30, 'headers', 1, 'none'])
    deepEqual([error.cause instanceof errors.HeadersTimeoutError, toGatewayStatus(error).status], [true, 504])
    equal((await request(`${peer.url}/204`, { dispatcher })).statusCode, 204)
    deepEqual(peer.requests, ['GET /never', 'GET /204'])
  })

  test('is evidence when the upstream had half of the deadline', async t => {
    const peer = await closing(t, startPeer())
    const clock = createTestClock()
    const client = createClient({ ...TOUCHY, deadline: 1_000, env: { clock, random: Math.random } })
    t.after(() => client.destroy())
    const sent = failure(
      request(`${peer.url}/never`, { dispatcher: client.dispatcher(), headersTimeout: 30 }), DeadlineExceededError)
    await eventually(() => peer.waiting.length === 1)
    await clock.advance(500)
    const { timeout, verdict } = await sent
    deepEqual([timeout, verdict, client.snapshot()[0]!.endpoints[0]!.circuit], [30, 'gateway', 'open'])
  })

  test('is no evidence in a body, whose pauses the upstream may want', async t => {
    const peer = await closing(t, startPeer())
    const client = createClient(TOUCHY)
    t.after(() => client.destroy())
    const { body } = await request(`${peer.url}/begun`, { dispatcher: client.dispatcher(), bodyTimeout: 30 })
    const error = await failure(body.text(), DeadlineExceededError)
    deepEqual([error.timeout, error.phase, error.cause instanceof errors.BodyTimeoutError], [30, 'body', true])
    deepEqual([client.snapshot()[0]!.endpoints[0]!.circuit, client.snapshot()[0]!.active], ['closed', 0])
  })

  test('that an Agent underneath has is the upstream’s to keep: retried, and 504 at the end', async t => {
    const peer = await closing(t, startPeer())
    const client = createClient({ retry: { limit: 1, backoff: 1 }, pool: { factory: () => new Agent({ headersTimeout: 30 }) } })
    t.after(() => client.destroy())
    const error = await failure(client.get(`${peer.url}/never`), ConnectionError)
    deepEqual([error.attempts, error.verdict, toGatewayStatus(error).status], [2, 'gateway', 504])
  })
})
