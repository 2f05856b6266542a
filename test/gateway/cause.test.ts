import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  AttemptTimeoutError, ConnectionError, DeadlineExceededError, OptionError, ResponseError, type CallReport,
} from '../../src/outcome/errors.ts'
import { causeOf, TITLES } from '../../src/gateway/cause.ts'
import type { Phase } from '../../src/outcome/upstream-error.ts'
import { closing } from '../support/check.ts'
import { OFF } from '../support/dispatching.ts'
import { ask, startGateway } from '../support/gateway-under-test.ts'
import { garbageStatusLine, startHostile } from '../support/hostile.ts'
import { startServer } from '../support/server.ts'

const REPORT: CallReport = { upstream: 'up', method: 'GET', path: '/', attempts: 1, elapsed: 1, timeline: [] }
const connection = (reason: string): ConnectionError => new ConnectionError(REPORT, reason, { sent: 'never', blame: 'upstream' })
const told = (error: unknown): unknown[] => {
  const cause = causeOf(error)
  return [cause.error, cause.status]
}

suite('the cause of', () => {
  const failures: Record<string, [string, number]> = {
    ECONNREFUSED: ['connection_refused', 502],
    ENOTFOUND: ['dns_error', 502],
    EAI_AGAIN: ['dns_error', 502],
    UND_ERR_CONNECT_TIMEOUT: ['connection_timeout', 504],
    ETIMEDOUT: ['connection_timeout', 504],
    EHOSTUNREACH: ['destination_ip_unroutable', 502],
    ECONNRESET: ['connection_terminated', 502],
    UND_ERR_SOCKET: ['connection_terminated', 502],
    ERR_TLS_CERT_ALTNAME_INVALID: ['tls_certificate_error', 502],
    SELF_SIGNED_CERT_IN_CHAIN: ['tls_certificate_error', 502],
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls_certificate_error', 502],
    ERR_SSL_WRONG_VERSION_NUMBER: ['tls_protocol_error', 502],
    EPROTO: ['tls_protocol_error', 502],
  }
  for (const [reason, cause] of Object.entries(failures)) {
    test(`a connection that failed with ${reason} is ${cause[0]}`, () => {
      deepEqual(told(connection(reason)), cause)
      // The same without protections, where the error is undici's or Node's own.
      deepEqual(told(Object.assign(new Error('plain'), { code: reason })), cause)
    })
  }

  test('what this process has run out of is its own', () => {
    deepEqual(told(new ConnectionError(REPORT, 'EMFILE', { sent: 'never', blame: 'process' })), ['proxy_internal_error', 503])
  })

  const phases: Record<Phase, [string, number]> = {
    'queue': ['connection_limit_reached', 503],
    'connect': ['connection_timeout', 504],
    'headers': ['http_response_timeout', 504],
    'body': ['http_response_timeout', 504],
    'back-off': ['http_response_timeout', 504],
    'caller': ['http_request_error', 408],
    'shared call': ['http_response_timeout', 504],
  }
  for (const [phase, cause] of Object.entries(phases) as [Phase, [string, number]][]) {
    test(`a deadline that passed in ${phase} is ${cause[0]}`, () => {
      deepEqual(told(new DeadlineExceededError(REPORT, 1, phase, { sent: 'maybe', verdict: 'none' })), cause)
      deepEqual(told(new AttemptTimeoutError(REPORT, 1, phase, { sent: 'maybe', verdict: 'none' })), cause)
    })
  }

  test('an answer that was none is told by its flaw', () => {
    const flaws = ['headers too large', 'truncated: not as long as announced', 'body too large', 'malformed: Expected HTTP/']
    deepEqual(flaws.map(flaw => causeOf(new ResponseError(REPORT, flaw, 'gateway')).error),
      ['http_response_header_section_size', 'http_response_incomplete', 'http_response_body_size', 'http_protocol_error'])
  })

  test('a wrong option is the set-up, and everything else the gateway itself', () => {
    deepEqual(told(new OptionError('url', 'x', 'y')), ['proxy_configuration_error', 500])
    fc.assert(fc.property(fc.anything(), thrown => {
      const { error, status } = causeOf(thrown)
      equal(typeof TITLES[error], 'string')
      equal(status, 500)
    }))
  })
})

test('with all protections off the answers are the same', async t => {
  const hostile = await closing(t, startHostile(garbageStatusLine()))
  const server = await closing(t, startServer())
  const answers: unknown[] = []
  for (const url of ['http://127.0.0.1:1', 'http://nowhere.invalid', hostile.url, server.url]) {
    const gateway = await closing(t, startGateway(url, {}, OFF))
    const { status, headers } = await ask(gateway.url, { method: 'POST', body: 'x' })
    answers.push([status, headers['proxy-status']])
  }
  deepEqual(answers, [
    [502, 'breakwater; error=connection_refused; next-hop=up'], [502, 'breakwater; error=dns_error; next-hop=up'],
    [502, 'breakwater; error=http_protocol_error; next-hop=up'], [200, undefined],
  ])
})
