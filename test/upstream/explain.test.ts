import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient, OptionError, type Client } from '../../src/index.ts'
import { closing } from '../support/check.ts'
import { startServer, status } from '../support/server.ts'

const failing = async (client: Client, url: string, count = 5): Promise<void> => {
  for (let done = 0; done < count; done++) await client.get(url, { throwOnStatus: false, retry: false })
}

describe('explain(url)', () => {
  test('of an origin nobody has called', () => {
    const explained = createClient({ deadline: 900, retry: { limit: 2 } }).explain('http://h:8080/path?token=secret')
    deepEqual([explained.upstream, explained.origin, explained.allowed, explained.source, explained.snapshot],
      ['http://h:8080', 'http://h:8080', true, 'defaults', undefined])
    equal(explained.policy.deadline, 900)
    equal(explained.text, [
      'http://h:8080: policy from defaults',
      '  deadline 900 ms, attempt 900 ms, 2 retries at most',
      '  not called yet: no circuit, no connections',
    ].join('\n'))
  })

  test('changes nothing: the origin is as unknown after as before', () => {
    const client = createClient()
    client.explain('http://h')
    deepEqual(client.snapshot(), [])
  })

  test('of a configured upstream in good health', async t => {
    const server = await closing(t, startServer())
    const options = { retry: false, limit: { adaptive: false } } as const
    const client = await closing(t, createClient({ ...options, upstreams: { api: { url: server.url } } }))
    await client.upstream('api').get('/')
    const { text, snapshot, source } = client.explain(new URL('/some/path', server.url))
    equal(source, 'upstreams.api')
    equal(snapshot?.endpoints[0]?.circuit, 'closed')
    deepEqual(text.split('\n'), [
      `api (${server.url}): policy from upstreams.api`,
      '  deadline 10000 ms, attempt 10000 ms, no retries',
      `  ${server.url}: circuit closed (healthy), 0 % of 1 calls in the window failed`,
      '  limit: 0 of 256 permits taken, 0 waiting; budget: 500 of 500 tokens',
    ])
  })

  test('of an open circuit: why it is open, and when it probes', async t => {
    const server = await closing(t, startServer(status(503)))
    const client = await closing(t, createClient({ breaker: { openTime: 30_000 }, limit: false }))
    await failing(client, server.url)
    const { text, snapshot, upstream, source } = client.explain(server.url)
    deepEqual([upstream, source], [server.url, 'defaults'])
    const endpoint = snapshot?.endpoints[0]
    ok(endpoint?.probeIn !== undefined && endpoint.probeIn > 20_000 && endpoint.probeIn <= 30_000)
    match(text, /circuit open \(consecutive failures\), 100 % of 5 calls in the window failed, next probe in \d+ ms at the latest/)
    match(text, /\n {2}no limit; budget: 500 of 500 tokens$/)
    deepEqual(snapshot?.lastErrors, [], 'a reply the caller asked for is no error')
  })

  test('of one isolated by hand', () => {
    const client = createClient({ upstreams: { api: { url: ['http://a', 'http://b'] } } })
    client.upstream('api').isolate()
    const { text } = client.explain('http://b')
    match(text, /^api \(http:\/\/b\): policy from upstreams\.api\n/)
    match(text, /\n {2}http:\/\/a: circuit isolated \(isolated by hand\).*\n {2}http:\/\/b: circuit isolated/)
  })

  test('of one without a breaker', () => {
    const client = createClient({ breaker: false, upstreams: { 'http://a': {} } })
    match(client.explain('http://a').text, /circuit off \(the breaker is disabled\)/)
  })

  test('of one that may not be called', () => {
    const explained = createClient({ allow: ['http://a'] }).explain('http://b')
    equal(explained.allowed, false)
    match(explained.text, /^http:\/\/b: policy from defaults\n {2}not allowed: calls are refused by the option allow\n/)
  })

  test('follows what configure() changed', () => {
    const client = createClient({ upstreams: { api: { url: 'http://a' } } })
    client.configure('api', { deadline: 77 })
    const { policy, text } = client.explain('http://a')
    equal(policy.deadline, 77)
    match(text, /deadline 77 ms, attempt 77 ms/)
  })

  test('of what is no URL', () => {
    for (const url of ['nonsense', '/path', 'ftp://h', 'http://user:pw@h']) {
      throws(() => createClient().explain(url), (error: unknown) => error instanceof OptionError && error.option === 'url', url)
    }
  })
})
