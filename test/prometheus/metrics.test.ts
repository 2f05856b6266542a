import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Counter, register as globalRegistry, Registry } from 'prom-client'
import { createClient, OptionError, type Client, type ClientOptions } from '../../src/index.ts'
import { prometheusMetrics, type PrometheusOptions } from '../../src/prometheus/index.ts'
import { ALL, prometheusName } from '../../src/telemetry/instruments.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { byPath, hold, inTurn, json, startServer, status, type TestServer } from '../support/server.ts'

interface Setup {
  readonly client: Client
  readonly server: TestServer
  readonly register: Registry
  /** The values of a metric, by its labels other than `client` as they are written. */
  read(name: string): Promise<Record<string, number>>
  text(): Promise<string>
}

const seriesOf = (text: string, name: string): Record<string, number> => Object.fromEntries(text.split('\n')
  .filter(line => line.startsWith(`${name}{`))
  .map(line => {
    const [, labels = '', value] = /^\w+\{(.*)\} (\S+)$/.exec(line)!
    const kept = labels.split(/,(?=\w+=)/).filter(label => !/^client=|=""$/.test(label))
    return [kept.join(','), Number(value!.replace('Inf', 'Infinity'))]
  }))

const setUp = async (
  t: TestContext, handler = json({}), options: ClientOptions = {}, metrics: PrometheusOptions = {},
): Promise<Setup> => {
  const server = await closing(t, startServer(handler))
  const client = await closing(t, createClient({ upstreams: { api: { url: server.url } }, ...options }))
  const register = new Registry()
  const { close } = prometheusMetrics(client, { register, ...metrics })
  t.after(close)
  const text = (): Promise<string> => register.metrics()
  return { client, server, register, text, read: async name => seriesOf(await text(), name) }
}

describe('prometheusMetrics', () => {
  test('counts calls, attempts and retries as they end', async t => {
    const { client, server, read } = await setUp(t, inTurn(status(503), json({})), { retry: { backoff: 0 } })
    await client.upstream('api').get('/')
    await client.upstream('api').post('/')
    deepEqual(await read('breakwater_calls_total'), {
      'upstream="api",method="GET",status="200"': 1, 'upstream="api",method="POST",status="200"': 1,
    })
    const endpoint = `upstream="api",endpoint="${server.url}"`
    deepEqual(await read('breakwater_attempts_total'), {
      [`${endpoint},verdict="gateway",status="503"`]: 1, [`${endpoint},verdict="healthy",status="200"`]: 2,
    })
    deepEqual(await read('breakwater_retries_total'), { 'upstream="api"': 1 })
  })

  test('puts durations into buckets, in seconds', async t => {
    const { client, read } = await setUp(t)
    await client.upstream('api').get('/')
    for (const [name, labels] of [
      ['call_duration', 'upstream="api",outcome="2xx"'], ['queue_duration', 'upstream="api"'],
    ] as const) {
      equal((await read(`breakwater_${name}_seconds_count`))[labels], 1)
      const buckets = await read(`breakwater_${name}_seconds_bucket`)
      const bounds = Object.keys(buckets).map(key => /le="([^"]+)"/.exec(key)?.[1])
      deepEqual(bounds, [
        '0.005', '0.01', '0.025', '0.05', '0.075', '0.1', '0.25', '0.5', '0.75', '1', '2.5', '5', '7.5', '10', '+Inf',
      ])
      const { [labels]: seconds = NaN } = await read(`breakwater_${name}_seconds_sum`)
      ok(seconds >= 0 && seconds < 5, String(seconds))
    }
  })

  test('tells how a call failed, and why it was not tried again', async t => {
    const { client, read } = await setUp(t, byPath({ '/busy': status(429), '/': status(500) }), { retry: { limit: 0 } })
    const controller = new AbortController()
    controller.abort()
    const api = client.upstream('api')
    await failure(api.get('/'), Error)
    await failure(api.get('/busy'), Error)
    await api.get('/', { throwOnStatus: false })
    await failure(api.get('/', { signal: controller.signal }), Error)
    deepEqual(await read('breakwater_calls_total'), {
      'upstream="api",method="GET",status="500",error="ERR_STATUS"': 1,
      'upstream="api",method="GET",status="429",error="ERR_STATUS"': 1,
      'upstream="api",method="GET",status="500"': 1,
      'upstream="api",method="GET",error="aborted"': 1,
    })
    deepEqual(await read('breakwater_call_duration_seconds_count'), {
      'upstream="api",outcome="5xx"': 2, 'upstream="api",outcome="4xx"': 1, 'upstream="api",outcome="aborted"': 1,
    })
    deepEqual(await read('breakwater_retries_stopped_total'), { 'upstream="api",reason="limit"': 3 })
  })

  test('counts refusals by their code, and shows the circuit', async t => {
    const { client, server, read } = await setUp(t, status(502), { retry: false, breaker: { consecutive: 2 } })
    const api = client.upstream('api')
    for (let call = 0; call < 5; call++) await failure(api.get('/'), Error)
    deepEqual(await read('breakwater_refused_total'), { 'upstream="api",error="ERR_CIRCUIT_OPEN"': 3 })
    const endpoint = `upstream="api",endpoint="${server.url}"`
    deepEqual(await read('breakwater_circuit_changes_total'), { [`${endpoint},to="open"`]: 1 })
    deepEqual(await read('breakwater_circuit_state'), {
      [`${endpoint},state="closed"`]: 0, [`${endpoint},state="open"`]: 1,
      [`${endpoint},state="half-open"`]: 0, [`${endpoint},state="isolated"`]: 0,
    })
    api.restore()
    equal((await read('breakwater_circuit_state'))[`${endpoint},state="closed"`], 1)
  })

  test('shows limit, calls in flight and waiting, saturation and budget as they are at the scrape', async t => {
    const gate = hold()
    const { client, read } = await setUp(t, gate.handler, { limit: { max: 2, adaptive: false } })
    const calls = [1, 2, 3].map(() => client.upstream('api').get('/'))
    await eventually(() => gate.waiting === 2)
    const now = async (): Promise<unknown[]> => {
      const names = ['limit', 'in_flight', 'queued', 'active', 'saturation_ratio', 'budget_tokens', 'budget_capacity']
      return Promise.all(names.map(async name => (await read(`breakwater_${name}`))['upstream="api"']))
    }
    deepEqual(await now(), [2, 2, 1, 3, 1, 500, 500])
    gate.release()
    await Promise.all(calls)
    deepEqual(await now(), [2, 0, 0, 0, 0, 500, 500])
  })

  test('shows no limit and no saturation where there is none, but still the calls in flight', async t => {
    const gate = hold()
    const { client, read } = await setUp(t, gate.handler, { limit: false })
    const call = client.upstream('api').get('/')
    await eventually(() => gate.waiting === 1)
    deepEqual(await read('breakwater_in_flight'), { 'upstream="api"': 1 })
    deepEqual({ ...await read('breakwater_limit'), ...await read('breakwater_saturation_ratio') }, {})
    gate.release()
    await call
  })

  test('gives every metric that is documented as an instrument, and no other', async t => {
    const { register } = await setUp(t)
    const names = (await register.getMetricsAsJSON()).map(({ name }) => name)
    deepEqual(names.sort(), ALL.map(prometheusName).sort())
  })

  test('lets the series of an upstream go when it goes', async t => {
    const { client, text } = await setUp(t, status(502), { maxUpstreams: 1, retry: false })
    const [one, two] = [await closing(t, startServer()), await closing(t, startServer())]
    await client.get(one.url)
    await failure(client.upstream('api').get('/'), Error)
    ok((await text()).includes(one.url))
    await client.get(two.url)
    await eventually(async () => !(await text()).includes(one.url), { what: 'the series of the first are gone' })
    ok((await text()).includes(two.url) && (await text()).includes('upstream="api"'))
  })

  test('folds upstreams beyond its bound into one, and never a configured one', async t => {
    const metrics = { maxUpstreams: 1 }
    const { client, server, read, text } = await setUp(t, json({}), { limit: { max: 10, adaptive: false } }, metrics)
    const others = [await closing(t, startServer()), await closing(t, startServer()), await closing(t, startServer())]
    for (const { url } of others) await client.get(url)
    await client.upstream('api').get('/')
    const get = 'method="GET",status="200"'
    deepEqual(await read('breakwater_calls_total'), {
      [`upstream="${others[0]!.url}",${get}`]: 1, [`upstream="other",${get}`]: 2, [`upstream="api",${get}`]: 1,
    })
    equal((await read('breakwater_limit'))['upstream="other"'], 20)
    equal((await read('breakwater_circuit_state'))['upstream="other",endpoint="other",state="closed"'], 2)
    equal((await read('breakwater_attempts_total'))['upstream="other",endpoint="other",verdict="healthy",status="200"'], 2)
    deepEqual(Object.keys(await read('breakwater_endpoint_latency_seconds')), [
      `upstream="api",endpoint="${server.url}"`, `upstream="${others[0]!.url}",endpoint="${others[0]!.url}"`,
    ])
    ok(!(await text()).includes(others[2]!.url))
    deepEqual(Object.values(await read('breakwater_upstreams')), [4])
  })

  test('counts a call refused for lack of a place without a series of its own', async t => {
    const gate = hold()
    const { client, server, read } = await setUp(t, gate.handler, { maxUpstreams: 1, upstreams: {} })
    const busy = client.get(server.url)
    await eventually(() => gate.waiting === 1)
    for (let port = 1; port < 20; port++) await failure(client.get(`http://127.0.0.1:${port}/`), Error)
    deepEqual(await read('breakwater_refused_total'), { 'upstream="other",error="ERR_LIMIT_EXCEEDED",kind="upstreams"': 19 })
    gate.release()
    await busy
  })

  test('bounds methods and statuses, which others make up', async t => {
    const { client, read } = await setUp(t, byPath({ '/odd': status(299), '/': json({}) }))
    await client.upstream('api').request('PROPFIND', '/')
    await client.upstream('api').get('/odd')
    deepEqual(Object.keys(await read('breakwater_calls_total')), [
      'upstream="api",method="_OTHER",status="200"', 'upstream="api",method="GET",status="2xx"',
    ])
  })

  test('tells the clients of one registry apart, and forgets each as it is closed', async t => {
    const { client: first, server, register } = await setUp(t, json({}), { name: 'first' })
    const second = await closing(t, createClient({ name: 'second', upstreams: { api: { url: server.url } } }))
    const metrics = prometheusMetrics(second, { register })
    await first.upstream('api').get('/')
    await second.upstream('api').get('/')
    await second.upstream('api').get('/')
    const lines = async (): Promise<string[]> => (await register.metrics()).split('\n').filter(line => /calls_total\{|in_flight\{/.test(line))
    deepEqual((await lines()).map(line => [/client="(\w+)"/.exec(line)?.[1], line.split(' ').at(-1)]), [
      ['first', '1'], ['second', '2'], ['first', '0'], ['second', '0'],
    ])
    metrics.close()
    metrics.close()
    await second.upstream('api').get('/')
    ok((await lines()).length === 2 && (await lines()).every(line => line.includes('client="first"')))
  })

  test('takes all of its metrics and nothing else out of the registry, and may come again', async t => {
    const server = await closing(t, startServer())
    const client = await closing(t, createClient())
    const register = new Registry()
    new Counter({ name: 'mine_total', help: 'Not ours.', registers: [register] })
    const first = prometheusMetrics(client, { register })
    await client.get(server.url)
    first.close()
    deepEqual((await register.getMetricsAsJSON()).map(({ name }) => name), ['mine_total'])
    const again = prometheusMetrics(client, { register })
    equal((await register.metrics()).includes(`breakwater_active{client="${client.name}",upstream="${server.url}"} 0`), true)
    again.close()
  })

  test('uses the global registry, another prefix and other buckets as it is told', async t => {
    const server = await closing(t, startServer())
    const client = await closing(t, createClient())
    const { close } = prometheusMetrics(client, { prefix: 'calls_out_', buckets: [1, 2] })
    await client.get(server.url)
    const text = await globalRegistry.metrics()
    match(text, /^calls_out_call_duration_seconds_bucket\{le="2",.*\} 1$/m)
    ok(!text.includes('breakwater_'))
    close()
    deepEqual(globalRegistry.getMetricsAsArray(), [])
  })

  test('refuses what makes no sense', async t => {
    const client = await closing(t, createClient())
    const register = new Registry()
    t.after(prometheusMetrics(client, { register }).close)
    const other = await closing(t, createClient())
    const cases: [Client, unknown, string][] = [
      [other, { register: {} }, 'register'], [other, { prefix: '9x' }, 'prefix'], [other, { prefix: '' }, 'prefix'],
      [other, { maxUpstreams: 0 }, 'maxUpstreams'], [other, { buckets: [2, 1] }, 'buckets[1]'],
      [other, { buckets: [] }, 'buckets'], [other, { buckets: [0] }, 'buckets[0]'], [other, { bucket: [1] }, 'bucket'],
      [other, null, 'options'], [client, { register }, 'client'], [other, { register, buckets: [1] }, 'buckets'],
    ]
    for (const [whose, options, option] of cases) {
      throws(() => prometheusMetrics(whose, options as PrometheusOptions), (error: unknown) => {
        ok(error instanceof OptionError, String(error))
        equal(error.option, option)
        return true
      })
    }
    const foreign = new Registry()
    new Counter({ name: 'breakwater_calls_total', help: 'Somebody was here first.', registers: [foreign] })
    throws(() => prometheusMetrics(other, { register: foreign }), /^OptionError: prefix 'breakwater_' cannot be used: the registry already has a metric breakwater_calls_total$/)
    deepEqual(foreign.getMetricsAsArray().length, 1)
  })

  test('that cannot record a measurement lets the call be, and warns once', async t => {
    const { client, register } = await setUp(t)
    const warnings: Error[] = []
    const hear = (warning: Error): void => void warnings.push(warning)
    process.on('warning', hear)
    t.after(() => process.off('warning', hear))
    const counter = register.getSingleMetric('breakwater_calls_total') as unknown as { inc: unknown }
    counter.inc = () => { throw new Error('the metric is broken') }
    for (let call = 0; call < 3; call++) deepEqual(await client.upstream('api').get('/').json(), {})
    await eventually(() => warnings.length > 0)
    deepEqual(warnings.map(({ message }) => message),
      ['metrics could not be recorded, calls are not affected: the metric is broken'])
  })
})
