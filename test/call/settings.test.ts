import { deepEqual, equal, notEqual, throws } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { OptionError } from '../../src/outcome/errors.ts'
import { settingsFor } from '../../src/call/settings.ts'
import { requestOf } from '../../src/call/request.ts'
import type { CallOptions } from '../../src/options/call-options.ts'
import { policyOf } from '../support/calls.ts'
import { polluted } from '../support/polluted.ts'

const setup = (options = {}) => {
  const policy = policyOf(options)
  const settings = settingsFor(policy)
  const of = (method: string, own?: CallOptions, streamed = false) =>
    settings.of(requestOf(method, { origin: 'http://a.test', target: '/' }, own, streamed))
  return { policy, of }
}

suite('the settings of a call', () => {
  test('are those of its upstream', () => {
    const { policy, of } = setup({ deadline: 700, retry: false, priority: 'background' })
    deepEqual(of('GET'), {
      policy, idempotent: true, streamed: false, decode: true, throwOnStatus: true, maxBodySize: policy.maxBodySize,
      deadline: 700, attemptTimeout: 700, retry: false, priority: 'background', hedge: false,
    })
  })

  test('are one object for all calls of a method that say nothing of their own, whatever they send', () => {
    const { policy, of } = setup()
    equal(of('POST'), of('POST', { json: { a: 1 }, headers: { 'x-id': '7' }, signal: AbortSignal.abort() }))
    equal(settingsFor(policy), settingsFor(policy))
    notEqual(of('GET'), of('POST'))
    deepEqual([of('GET').idempotent, of('POST').idempotent], [true, false])
  })

  test('are kept for a bounded number of methods, as a caller may use any token', () => {
    const { of } = setup()
    for (let n = 0; n < 100; n++) of(`M${n}`)
    equal(of('M0'), of('M0'))
    notEqual(of('M99'), of('M99'))
    equal(of('M99').idempotent, false)
  })

  const own: [what: string, options: CallOptions, changed: object][] = [
    ['a deadline, which bounds an attempt, too', { deadline: 50 }, { deadline: 50, attemptTimeout: 50 }],
    ['a time for each attempt', { attemptTimeout: 20 }, { attemptTimeout: 20 }],
    ['no retries', { retry: false }, { retry: false }],
    ['a priority', { priority: 'critical' }, { priority: 'critical' }],
    ['statuses that are no errors', { throwOnStatus: false }, { throwOnStatus: false }],
    ['a longest body', { maxBodySize: 9 }, { maxBodySize: 9 }],
    ['a body as it is on the wire', { decode: false }, { decode: false }],
    ['no second attempt', { hedge: false }, { hedge: false }],
  ]
  for (const [what, options, changed] of own) {
    test(`are its own where it asks for ${what}, and nobody else's`, () => {
      const { of } = setup({ hedge: true })
      const shared = { ...of('GET') }
      deepEqual(of('GET', options), { ...shared, ...changed })
      deepEqual(of('GET'), shared)
    })
  }

  test('let a call with an idempotency key be repeated', () => {
    const { of } = setup()
    deepEqual([of('POST', { idempotencyKey: 'k' }).idempotent, of('POST').idempotent], [true, false])
  })

  test('give a stream no bound unless it sets one', () => {
    const { of } = setup()
    deepEqual([of('GET', undefined, true).maxBodySize, of('GET', { maxBodySize: 9 }, true).maxBodySize], [Infinity, 9])
  })

  test('are not read off Object.prototype', () => {
    const { of } = setup()
    const shared = of('POST')
    polluted({ 'deadline': 7, 'limit': 99, 'idempotency-key': 'k' }, () => {
      equal(of('POST'), shared)
      equal(of('POST', { headers: { a: 'b' } }), shared)
      deepEqual(of('POST', { retry: {} }).retry, shared.retry)
      equal(settingsFor(policyOf()).ofRelayed('POST', false, undefined).deadline, 10_000)
    })
  })

  test('are refused when they contradict one another', () => {
    const { of } = setup()
    throws(() => of('GET', { deadline: 50, attemptTimeout: 60 }), OptionError)
  })
})
