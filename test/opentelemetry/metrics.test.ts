import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { diag, DiagLogLevel, type MeterProvider } from '@opentelemetry/api'
import { createClient, OptionError, type Client, type ClientOptions } from '../../src/index.ts'
import { instrument, type OpenTelemetryOptions } from '../../src/opentelemetry/index.ts'
import { ALL } from '../../src/telemetry/instruments.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { learnLatency, numberAttempts, slowFirst } from '../support/hedging.ts'
import { instrumented, startSdk } from '../support/otel-sdk.ts'
import { hold, inTurn, json, startServer, status, type Handler } from '../support/server.ts'

const setUp = (
  t: TestContext, handler: Handler = json({}), options: ClientOptions = {}, more: OpenTelemetryOptions = {},
): ReturnType<typeof instrumented> =>
  instrumented(t, handler, options, ({ meterProvider }) => ({ meterProvider, tracerProvider: false, ...more }))
const countsOf = (points: [object, unknown][]): unknown[] => points.map(([attributes, value]) =>
  [attributes, (value as { count: number }).count])

describe('metrics', () => {
  test('http.client.request.duration is of each attempt, with the attributes of the conventions', async t => {
    const [client, server, { metric, points }] = await setUp(t, inTurn(status(503), json({})), { retry: { backoff: 0 } })
    await client.upstream('api').get('/')
    await client.upstream('api').get('/')
    const attempt = {
      'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': server.port, 'url.scheme': 'http',
      'network.protocol.version': '1.1',
    }
    deepEqual(countsOf(await points('http.client.request.duration')), [
      [{ ...attempt, 'http.response.status_code': 503, 'error.type': '503' }, 1],
      [{ ...attempt, 'http.response.status_code': 200 }, 2],
    ])
    const { descriptor, dataPoints } = (await metric('http.client.request.duration'))!
    equal(descriptor.unit, 's')
    const [{ value }] = dataPoints as unknown as [{ value: { buckets: { boundaries: number[] }; sum: number } }]
    deepEqual(value.buckets.boundaries, [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
    ok(value.sum > 0 && value.sum < 5, `${value.sum} are seconds`)
  })

  test('an attempt without a reply has the code of its error', async t => {
    const [client, , { points }] = await setUp(t, json({}), { upstreams: { api: { url: 'http://127.0.0.1:1' } }, retry: false })
    await failure(client.upstream('api').get('/'), Error)
    deepEqual(countsOf(await points('http.client.request.duration')), [[{
      'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': 1, 'url.scheme': 'http',
      'error.type': 'ERR_CONNECTION',
    }, 1]])
  })

  test('breakwater counts calls, refusals and the like, with labels as Prometheus has them', async t => {
    const [client, server, { points }] = await setUp(t, status(502), { retry: false, breaker: { consecutive: 2 } })
    for (let call = 0; call < 3; call++) await failure(client.upstream('api').get('/'), Error)
    deepEqual(await points('breakwater.calls'), [
      [{ upstream: 'api', method: 'GET', status: '502', error: 'ERR_STATUS' }, 2],
      [{ upstream: 'api', method: 'GET', error: 'ERR_CIRCUIT_OPEN' }, 1],
    ])
    deepEqual(await points('breakwater.refused'), [[{ upstream: 'api', error: 'ERR_CIRCUIT_OPEN' }, 1]])
    deepEqual(await points('breakwater.circuit.changes'), [[{ upstream: 'api', endpoint: server.url, to: 'open' }, 1]])
    const states = (await points('breakwater.circuit.state')).filter(([, value]) => value === 1)
    deepEqual(states, [[{ upstream: 'api', endpoint: server.url, state: 'open' }, 1]])
    deepEqual(countsOf(await points('breakwater.queue.duration')), [[{ upstream: 'api' }, 3]])
  })

  test('gauges show what is when they are collected', async t => {
    const gate = hold()
    const [client, , { points }] = await setUp(t, gate.handler, { limit: { max: 2, adaptive: false } })
    const calls = [1, 2, 3].map(() => client.upstream('api').get('/'))
    await eventually(() => gate.waiting === 2)
    const now = async (): Promise<unknown[]> => {
      const values: unknown[] = []
      for (const name of ['limit', 'in_flight', 'queued', 'saturation', 'budget.tokens']) {
        values.push((await points(`breakwater.${name}`))[0]?.[1])
      }
      return values
    }
    deepEqual(await now(), [2, 2, 1, 1, 500])
    gate.release()
    await Promise.all(calls)
    deepEqual(await now(), [2, 0, 0, 0, 500])
  })

  test('every instrument is there, as it is documented', async t => {
    const slow = await closing(t, startServer(slowFirst))
    numberAttempts(t)
    const [client, , { metric }] = await setUp(t, status(502), {
      retry: { limit: 1, backoff: 0 }, breaker: { consecutive: 2 }, hedge: { minimumCalls: 1 }, coalesce: true,
    })
    await learnLatency(() => client.get(slow.url))
    await client.get(`${slow.url}/slow`)
    await Promise.all([client.get(slow.url), client.get(slow.url)])
    for (let call = 0; call < 2; call++) await failure(client.upstream('api').get('/'), Error)
    await client.upstream('api').get('/', { fallback: () => ({ json: [] }) })
    for (const { name, unit, help } of ALL) {
      const descriptor = (await metric(name))?.descriptor
      deepEqual([descriptor?.unit, descriptor?.description], [unit, help], name)
    }
  })

  test('hosts beyond the bound are told as one, for good', async t => {
    const [client, server, { points }] = await setUp(t, json({}), { maxUpstreams: 1 }, { maxUpstreams: 1 })
    const others = [await closing(t, startServer()), await closing(t, startServer()), await closing(t, startServer())]
    for (const { url } of others) {
      await client.get(url)
      await eventually(() => client.snapshot().length === 2)
    }
    await client.upstream('api').get('/')
    const get = { method: 'GET', status: '200' }
    deepEqual(await points('breakwater.calls'), [
      [{ upstream: others[0]!.url, ...get }, 1], [{ upstream: 'other', ...get }, 2], [{ upstream: 'api', ...get }, 1],
    ])
    const ports = (await points('http.client.request.duration')).map(([attributes]) =>
      (attributes as Record<string, unknown>)['server.port'])
    deepEqual(ports, [others[0]!.port, undefined, server.port])
    const shown = (await points('breakwater.active')).map(([attributes]) => attributes)
    deepEqual(shown, [{ upstream: 'api' }, { upstream: 'other' }], 'gauges of what is gone are gone')
  })

  test('nothing is measured after close()', async t => {
    const sdk = startSdk(t)
    const server = await closing(t, startServer())
    const client = await closing(t, createClient())
    const { close } = instrument(client, { meterProvider: sdk.meterProvider })
    await client.get(server.url)
    close()
    close()
    await client.get(server.url)
    deepEqual((await sdk.points('breakwater.calls')).map(([, value]) => value), [1])
    equal(await sdk.metric('breakwater.active'), undefined)
    const again = instrument(client, { meterProvider: sdk.meterProvider })
    await client.get(server.url)
    deepEqual((await sdk.points('breakwater.calls')).map(([, value]) => value), [2])
    again.close()
  })

  test('what a provider cannot do fails no call, and is told to diag', async t => {
    const told: unknown[] = []
    const quiet = (): void => {}
    const error = (...said: unknown[]): void => void told.push(said)
    diag.setLogger({ error, warn: quiet, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.ERROR)
    t.after(() => { diag.disable() })
    const broken = new Error('the meter is broken')
    const sdk = startSdk(t)
    const meterProvider: MeterProvider = {
      getMeter: (...args) => {
        const meter = sdk.meterProvider.getMeter(...args)
        meter.createCounter = () => ({ add() { throw broken } })
        return meter
      },
    }
    const server = await closing(t, startServer())
    const client = await closing(t, createClient())
    t.after(instrument(client, { meterProvider }).close)
    equal((await client.get(server.url)).status, 200)
    const message = 'breakwater: telemetry could not be recorded'
    deepEqual(told, [[message, broken], [message, broken]])
  })

  test('refuses what makes no sense', async t => {
    const client = await closing(t, createClient())
    const { close } = instrument(client)
    t.after(close)
    const other = await closing(t, createClient())
    const cases: [Client, unknown, string][] = [
      [other, { meterProvider: {} }, 'meterProvider'], [other, { tracerProvider: true }, 'tracerProvider'],
      [other, { propagator: false }, 'propagator'], [other, { maxUpstreams: 1.5 }, 'maxUpstreams'],
      [other, { methods: ['a b'] }, 'methods[0]'], [other, { meters: 1 }, 'meters'], [client, {}, 'client'],
    ]
    for (const [whose, options, option] of cases) {
      throws(() => instrument(whose, options as OpenTelemetryOptions), (error: unknown) => {
        ok(error instanceof OptionError, String(error))
        equal(error.option, option)
        return true
      })
    }
  })
})
