import { equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { failed, verdictOfStatus, verdictOfTimeout, type Verdict } from '../../src/outcome/verdict.ts'
import { isIdempotent } from '../../src/http/methods.ts'

suite('a status proves', () => {
  const proves = (verdict: Verdict, ...statuses: number[]): void => {
    for (const status of statuses) test(`${verdict} by ${status}`, () => equal(verdictOfStatus(status, false), verdict))
  }
  proves('healthy', 200, 204, 206, 301, 304, 307, 400, 401, 403, 404, 409, 418, 422, 451)
  proves('gateway', 502, 503, 504)
  proves('unhealthy', 408, 500, 501, 505, 507, 508, 511, 599)
  proves('throttled', 429)

  test('throttled by a 503 that says when to come back, and by no other status that does', () => {
    equal(verdictOfStatus(503, true), 'throttled')
    equal(verdictOfStatus(429, true), 'throttled')
    equal(verdictOfStatus(502, true), 'gateway')
    equal(verdictOfStatus(500, true), 'unhealthy')
    equal(verdictOfStatus(301, true), 'healthy')
  })
})

suite('a timeout proves', () => {
  test('that the endpoint is sick, when it had its usual time', () => {
    equal(verdictOfTimeout(100, 1_000, 100, false), 'gateway')
    equal(verdictOfTimeout(500, 1_000, 0, false), 'gateway')
  })

  test('nothing, when it had less than that', () => equal(verdictOfTimeout(99, 1_000, 100, false), 'none'))
  test('nothing, when it had less than half of the limit and nothing is known', () =>
    equal(verdictOfTimeout(499, 1_000, 0, false), 'none'))

  test('nothing, when our own event loop stood still', () => equal(verdictOfTimeout(5_000, 5_000, 100, true), 'none'))
})

test('only what speaks against the endpoint is a failure', () => {
  const verdicts: Record<Verdict, boolean> = { healthy: false, none: false, gateway: true, unhealthy: true, throttled: true }
  for (const [verdict, is] of Object.entries(verdicts)) equal(failed(verdict as Verdict), is, verdict)
})

suite('sending twice', () => {
  test('asks for no more than sending once, for idempotent methods', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']) {
      equal(isIdempotent(method, false, []), true, method)
    }
    for (const method of ['POST', 'PATCH', 'CONNECT', 'get']) equal(isIdempotent(method, false, []), false, method)
  })

  test('is fine with an idempotency key, or when the caller says so', () => {
    equal(isIdempotent('POST', true, []), true)
    equal(isIdempotent('POST', false, ['POST']), true)
    equal(isIdempotent('PATCH', false, ['POST']), false)
  })
})
