import { deepEqual, equal, ok } from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { CircuitOpenError, createClient, type BreakerView, type Client, type ClientOptions } from '../../src/index.ts'
import { closing, eventually } from '../support/check.ts'
import { byPath, json, startServer, status, type TestServer } from '../support/server.ts'

/** What we use of opossum-prometheus 0.3.0, which has no types, and of its own prom-client. */
interface Metrics {
  add(circuits: BreakerView | readonly BreakerView[]): void
}
interface Registry {
  getMetricsAsJSON(): { name: string; values: { value: number; labels: Record<string, string>; metricName?: string }[] }[]
}

const require = createRequire(import.meta.url)
const PrometheusMetrics = require('opossum-prometheus') as
  new (options: { circuits?: readonly BreakerView[]; registry: Registry }) => Metrics
const { Registry } = createRequire(require.resolve('opossum-prometheus'))('prom-client') as { Registry: new () => Registry }

type Context = Parameters<typeof closing>[0]

const setUp = async (t: Context, options: ClientOptions = {}): Promise<{ server: TestServer; client: Client }> => {
  const server = await closing(t, startServer(byPath({ '/': json({ ok: true }), '/bad': status(502) })))
  const client = await closing(t, createClient({
    retry: false, breaker: { openTime: 50, probes: 1, probeShare: 0 }, upstreams: { api: { url: server.url } }, ...options,
  }))
  return { server, client }
}
const get = (client: Client, path = '/'): Promise<unknown> =>
  client.upstream('api').get(path, { throwOnStatus: false }).catch((error: unknown) => error)

describe('upstream().breakers()', () => {
  test('gives one opossum breaker for each endpoint, the same each time', async t => {
    const urls = ['http://127.0.0.1:1', 'http://127.0.0.1:2']
    const client = await closing(t, createClient({ upstreams: { shards: { url: urls } } }))
    const breakers = client.upstream('shards').breakers()
    deepEqual(breakers.map(({ name, group, closed }) => [name, group, closed]), urls.map(url => [url, 'shards', true]))
    const again = client.upstream('shards').breakers()
    ok(again.length === 2 && again.every((breaker, index) => breaker === breakers[index]))
    breakers[1]?.open()
    deepEqual(client.upstream('shards').snapshot().endpoints.map(({ circuit }) => circuit), ['closed', 'isolated'])
  })

  test('tells opossum-prometheus all that a circuit did', async t => {
    const { client } = await setUp(t)
    const registry = new Registry()
    const breakers = client.upstream('api').breakers()
    new PrometheusMetrics({ registry, circuits: breakers })
    const [breaker] = breakers
    let refusals = 0
    for (let n = 0; n < 3; n++) await get(client)
    for (let n = 0; n < 5; n++) await get(client, '/bad')
    while (await get(client) instanceof CircuitOpenError) refusals++
    ok(refusals > 0 && breaker?.closed === true, 'it opened, and a probe closed it')

    const metrics = registry.getMetricsAsJSON()
    const valuesOf = (name: string, part?: string): Record<string, number> =>
      Object.fromEntries((metrics.find(metric => metric.name === name)?.values ?? [])
        .filter(({ metricName, labels }) => part === undefined ? labels['name'] === breaker.name : metricName === part)
        .map(({ labels, value }): [string, number] => [labels['event'] ?? '', value]))
    const seen = { fire: 9 + refusals, success: 4, failure: 5, reject: refusals, open: 1, close: 1 }
    deepEqual(valuesOf('circuit'), seen)
    deepEqual(valuesOf('circuit_perf', 'circuit_perf_count'), { success: 4, failure: 5 })
    const { fires, successes, failures, rejects } = breaker.stats
    deepEqual([fires, successes, failures, rejects], [seen.fire, seen.success, seen.failure, seen.reject])
    equal(valuesOf('circuit_perf', 'circuit_perf_sum')['success']! > 0, true)
  })

  test('says what `configure()` and `close()` do', async t => {
    const { client } = await setUp(t)
    const [breaker] = client.upstream('api').breakers()
    ok(breaker !== undefined)
    const events: string[] = []
    for (const name of ['open', 'shutdown'] as const) breaker.on(name, () => { events.push(name) })
    client.configure('api', { breaker: { minimumCalls: 77 } })
    equal(breaker.volumeThreshold, 77)
    client.configure('api', { breaker: false })
    deepEqual([events, breaker.isShutdown, client.upstream('api').breakers()], [['shutdown'], true, []])
    client.configure('api', { breaker: { minimumCalls: 20 } })
    const [next] = client.upstream('api').breakers()
    ok(next !== undefined && next !== breaker && next.enabled)
    const upstream = client.upstream('api')
    await client.close()
    deepEqual([next.isShutdown, upstream.breakers()], [true, []])
  })

  test('gives none where there is no circuit', async t => {
    const { client } = await setUp(t, { breaker: false })
    deepEqual(client.upstream('api').breakers(), [])
  })

  test('emits while calls are made, in the order in which things happen', async t => {
    const { client } = await setUp(t)
    const [breaker] = client.upstream('api').breakers()
    const events: string[] = []
    for (const name of ['fire', 'success', 'failure', 'reject', 'open', 'halfOpen', 'close'] as const) {
      breaker?.on(name, () => { events.push(name) })
    }
    for (let n = 0; n < 5; n++) await get(client, '/bad')
    await get(client)
    deepEqual(events, [...Array.from({ length: 5 }, () => ['fire', 'failure']).flat(), 'open', 'fire', 'reject'])
    events.length = 0
    await eventually(async () => !(await get(client) instanceof CircuitOpenError))
    deepEqual(events.slice(-4), ['halfOpen', 'fire', 'success', 'close'])
  })
})
