import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Registry } from 'prom-client'
import { createClient } from '../../src/index.ts'
import { prometheusMetrics } from '../../src/prometheus/index.ts'
import { closing, eventually } from '../support/check.ts'
import { dashboardQueries, recordedNames, RULES } from '../observability/files.ts'
import { failure } from '../support/failure.ts'
import { learnLatency, numberAttempts, slowFirst } from '../support/hedging.ts'
import { prometheusMissing, startPrometheus } from '../support/prometheus.ts'
import { byPath, json, startServer, status } from '../support/server.ts'

const missing = prometheusMissing()
if (missing !== false) console.log(`skipped: ${missing}`)

suite('a real Prometheus', { skip: process.env['CI'] === 'true' ? false : missing }, () => {
  test('scrapes what the client has measured, and loses sight of what is gone', async t => {
    const server = await closing(t, startServer(byPath({ '/bad': status(502), '/': json({}) })))
    const other = await closing(t, startServer())
    const client = await closing(t, createClient({
      name: 'gateway', maxUpstreams: 1, retry: false, breaker: { consecutive: 3 },
      upstreams: { 'a "quoted" \\ name': { url: server.url } },
    }))
    const register = new Registry()
    t.after(prometheusMetrics(client, { register }).close)
    const exporter = await closing(t, startServer(async (_, response) => {
      response.setHeader('content-type', register.contentType)
      response.end(await register.metrics())
    }))
    const prometheus = await closing(t, startPrometheus({ target: exporter.url }))
    const upstream = client.upstream('a "quoted" \\ name')
    for (let call = 0; call < 4; call++) await upstream.get('/')
    for (let call = 0; call < 5; call++) await failure(upstream.get('/bad'), Error)
    await client.get(other.url)

    const scraped = (expression: string, value: number): Promise<unknown> => eventually(
      async () => (await prometheus.query(expression))[0]?.value === value, { within: 15_000, what: `${expression} is ${value}` },
    )
    const ours = String.raw`client="gateway", upstream="a \"quoted\" \\ name"`
    await scraped(`breakwater_calls_total{${ours}, status="200"}`, 4)
    await scraped(`breakwater_calls_total{${ours}, status="502", error="ERR_STATUS", method="GET"}`, 3)
    await scraped(`breakwater_refused_total{${ours}, error="ERR_CIRCUIT_OPEN"}`, 2)
    await scraped(`breakwater_circuit_state{${ours}, state="open"}`, 1)
    await scraped(`breakwater_limit{${ours}} > bool 0`, 1)
    await scraped(`sum(breakwater_call_duration_seconds_count{${ours}})`, 9)
    await scraped(`sum(breakwater_call_duration_seconds_bucket{${ours}, le="+Inf"})`, 9)
    const [quantile] = await prometheus.query('histogram_quantile(0.99, sum by (le) (breakwater_call_duration_seconds_bucket))')
    ok(quantile !== undefined && quantile.value > 0 && quantile.value < 10, String(quantile?.value))

    const one = `breakwater_active{upstream="${other.url}"}`
    equal((await prometheus.query(one)).length, 1)
    const third = await closing(t, startServer())
    await client.get(third.url)
    await eventually(async () => (await prometheus.query(one)).length === 0, { within: 15_000, what: 'its series are stale' })
    deepEqual((await prometheus.query('count(up == 1)')).map(({ value }) => value), [1])
  })

  test('has something to show in every panel of the dashboard, and evaluates every rule', async t => {
    const server = await closing(t, startServer(byPath({ '/bad': status(503), '/': json({}) })))
    const lagging = await closing(t, startServer(slowFirst))
    numberAttempts(t)
    const other = await closing(t, startServer(byPath({ '/bad': status(503), '/': json({}) })))
    const upstreams = {
      lagging: { url: lagging.url, hedge: { minimumCalls: 1 } },
      around: { url: other.url, coalesce: true, fallback: () => ({ json: [] }) },
      a: { url: server.url }, b: { url: 'http://127.0.0.1:1' },
      narrow: { url: `http://localhost:${server.port}`, limit: { max: 1, adaptive: false, queue: 0 } },
    }
    const client = await closing(t, createClient({ retry: { limit: 1, backoff: 0 }, breaker: { consecutive: 10 }, upstreams }))
    const register = new Registry()
    t.after(prometheusMetrics(client, { register }).close)
    const exporter = await closing(t, startServer(async (_, response) => { response.end(await register.metrics()) }))
    const prometheus = await closing(t, startPrometheus({ target: exporter.url, rules: [RULES] }))
    await learnLatency(() => client.upstream('lagging').get('/'))
    await client.upstream('lagging').get('/slow')
    // Rates need a while: until every expression has a value there are calls of each kind.
    const waiting = new Set(dashboardQueries.map(({ expr }) => expr))
    await eventually(async () => {
      await client.upstream('a').get('/')
      await Promise.all(['/', '/', '/bad'].map(path => client.upstream('around').get(path)))
      await Promise.allSettled([client.upstream('narrow').get('/'), client.upstream('narrow').get('/')])
      for (const [name, path] of [['a', '/bad'], ['b', '/']] as const) await failure(client.upstream(name).get(path), Error)
      for (const expr of waiting) if ((await prometheus.query(expr)).length > 0) waiting.delete(expr)
      return waiting.size === 0
    }, { within: 20_000, what: 'every panel has something to show' }).catch(() => undefined)
    deepEqual([...waiting], [])

    type Groups = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] }
    const evaluated = await eventually(async () => {
      const { groups } = await prometheus.api<Groups>('rules')
      const all = groups.flatMap(({ rules }) => rules)
      return all.length > 0 && all.every(({ health }) => health !== 'unknown') && all
    }, { within: 10_000, what: 'every rule was evaluated' })
    deepEqual((evaluated || []).filter(({ health }) => health !== 'ok'), [])
    for (const name of recordedNames) {
      await eventually(async () => (await prometheus.query(name)).length > 0, { within: 10_000, what: `${name} has a value` })
    }
  })
})
