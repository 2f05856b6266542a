import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, createClient, DeadlineExceededError, DrainingError, LimitExceededError,
  OptionError, ResponseError, StatusError, toGatewayStatus,
} from '../../src/index.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { Trace } from '../../src/outcome/trace.ts'
import { closing } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { startServer, status } from '../support/server.ts'

const trace = new Trace('api', 'GET', '/', 0)
const statusError = (code: number, retryAfter?: number): StatusError => {
  const reply = new Reply(code, {})
  reply.retryAfter = retryAfter
  return new StatusError(trace, reply)
}

describe('what a gateway answers', () => {
  for (const [what, error, code, retryAfter] of [
    ['an open circuit', new CircuitOpenError(trace, 'failure rate', 1_200), 503, 2],
    ['one that opens at once', new CircuitOpenError(trace, 'failure rate', 0), 503, 1],
    ['one that opens in a second to the dot', new CircuitOpenError(trace, 'failure rate', 1_000), 503, 1],
    ['one that nobody knows when it opens', new CircuitOpenError(trace, 'isolated by hand', undefined), 503, undefined],
    ['a full queue', new LimitExceededError(trace, 'queue', 8), 503, undefined],
    ['a client that closes', new DrainingError(trace), 503, undefined],
    ['a passed deadline', new DeadlineExceededError(trace, 50, 'headers', { sent: 'maybe', verdict: 'gateway' }), 504, undefined],
    ['a slow attempt', new AttemptTimeoutError(trace, 50, 'body', { sent: 'maybe', verdict: 'gateway' }), 504, undefined],
    ['a deadline that passed in our own queue',
      new DeadlineExceededError(trace, 50, 'queue', { sent: 'never', verdict: 'none' }), 503, undefined],
    ['a request that its sender did not finish',
      new DeadlineExceededError(trace, 50, 'caller', { sent: 'maybe', verdict: 'none' }), 408, undefined],
    ['a connection that took too long',
      new ConnectionError(trace, 'UND_ERR_CONNECT_TIMEOUT', { sent: 'never', blame: 'upstream' }), 504, undefined],
    ['headers that an Agent underneath did not wait for',
      new ConnectionError(trace, 'UND_ERR_HEADERS_TIMEOUT', { sent: 'maybe', blame: 'upstream' }), 504, undefined],
    ['a process without sockets', new ConnectionError(trace, 'EMFILE', { sent: 'never', blame: 'process' }), 503, undefined],
    ['a refused connection', new ConnectionError(trace, 'ECONNREFUSED', { sent: 'never', blame: 'upstream' }), 502, undefined],
    ['a bad response', new ResponseError(trace, 'truncated', 'gateway'), 502, undefined],
    ['a status of the upstream', statusError(404), 404, undefined],
    ['a status with a Retry-After', statusError(429, 30_000), 429, 30],
    ['a mistake of our own', new OptionError('a', 'b', 'c'), 500, undefined],
    ['any other error', new Error('x'), 500, undefined],
    ['no error at all', undefined, 500, undefined],
  ] as const) {
    test(`to ${what}: ${code}`, () => deepEqual(toGatewayStatus(error), { status: code, retryAfter }))
  }

  test('passes on what an upstream really said', async t => {
    const server = await closing(t, startServer(status(503, { 'retry-after': '7' })))
    const client = await closing(t, createClient({ retry: false }))
    deepEqual(toGatewayStatus(await failure(client.get(server.url), StatusError)), { status: 503, retryAfter: 7 })
    equal(server.hits, 1)
  })
})
