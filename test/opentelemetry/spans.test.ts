import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AlwaysOffSampler, type ReadableSpan } from '@opentelemetry/sdk-trace'
import {
  channels, createClient, type AttemptStartEvent, type ClientOptions, type EventChannel,
} from '../../src/index.ts'
import { instrument, type OpenTelemetryOptions } from '../../src/opentelemetry/index.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { learnLatency, numberAttempts, slowFirst } from '../support/hedging.ts'
import { instrumented, startSdk } from '../support/otel-sdk.ts'
import { byPath, hold, inTurn, json, startServer, status, stream, type Handler } from '../support/server.ts'

const setUp = (
  t: TestContext, handler: Handler = json({}), options: ClientOptions = {}, more: OpenTelemetryOptions = {},
): ReturnType<typeof instrumented> =>
  instrumented(t, handler, options, ({ tracerProvider, propagator }) =>
    ({ tracerProvider, propagator, meterProvider: false, ...more }))
const told = ({ name, kind, status: { code }, attributes }: ReadableSpan): object => ({ name, kind, code, attributes })
const OK = SpanStatusCode.UNSET
const { ERROR } = SpanStatusCode

describe('spans', () => {
  test('there is one for the call, and within it one for each attempt, by the conventions', async t => {
    const [client, server, { spans }] = await setUp(t, inTurn(status(503), json({})), { retry: { backoff: 0 } })
    await client.upstream('api').get('/invoices/7?token=hunter2', { query: { more: 'hunter2' } })
    const attempt = {
      'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': server.port, 'url.scheme': 'http',
      'url.full': `${server.url}/invoices/7`, 'network.protocol.version': '1.1',
    }
    const [first, second, call] = spans()
    deepEqual(spans().map(told), [
      { name: 'GET', kind: SpanKind.CLIENT, code: ERROR, attributes: {
        ...attempt, 'http.response.status_code': 503, 'error.type': '503', 'breakwater.verdict': 'gateway',
      } },
      { name: 'GET', kind: SpanKind.CLIENT, code: OK, attributes: {
        ...attempt, 'http.request.resend_count': 1, 'http.response.status_code': 200, 'breakwater.verdict': 'healthy',
      } },
      { name: 'GET api', kind: SpanKind.INTERNAL, code: OK, attributes: {
        'http.request.method': 'GET', 'url.path': '/invoices/7', 'breakwater.client': 'c', 'breakwater.upstream': 'api',
        'http.response.status_code': 200, 'breakwater.attempts': 2, 'breakwater.queued': 0,
      } },
    ])
    for (const span of [first!, second!]) equal(span.parentSpanContext?.spanId, call!.spanContext().spanId)
    ok(!JSON.stringify(spans().map(told)).includes('hunter2'))
  })

  test('a hedged call has two attempts at once, of which the slower one is no failure', async t => {
    const [client, , { spans }] = await setUp(t, slowFirst, { hedge: { minimumCalls: 1 } })
    numberAttempts(t)
    await learnLatency(() => client.upstream('api').get('/'))
    const before = spans().length
    await client.upstream('api').get('/slow')
    const attempts = spans().slice(before).map(({ kind, attributes, status: { code } }) =>
      [kind, attributes['http.request.resend_count'], attributes['error.type'], code])
    deepEqual(attempts, [
      [SpanKind.CLIENT, 1, undefined, OK], [SpanKind.CLIENT, undefined, 'superseded', OK],
      [SpanKind.INTERNAL, undefined, undefined, OK],
    ])
  })

  test('a call belongs to what is active where it was begun, also when many run at once', async t => {
    const [client, , { tracerProvider, spans }] = await setUp(t, inTurn(status(503), json({})), { retry: { backoff: 1 } })
    const tracer = tracerProvider.getTracer('the service')
    await Promise.all(['a', 'b', 'c'].map(name => tracer.startActiveSpan(name, async span => {
      await Promise.resolve()
      await client.upstream('api').get(`/${name}`)
      span.end()
    })))
    const byId = new Map(spans().map(span => [span.spanContext().spanId, span]))
    const calls = spans().filter(({ name }) => name === 'GET api')
    equal(calls.length, 3)
    for (const { attributes, parentSpanContext } of calls) {
      equal(`/${byId.get(parentSpanContext!.spanId)!.name}`, attributes['url.path'])
    }
  })

  test('the context of each attempt goes out with it, over what the caller had sent', async t => {
    const seen: string[] = []
    const answer: Handler = (request, response) => {
      seen.push(String(request.headers['traceparent']))
      response.writeHead(seen.length === 1 ? 503 : 200).end()
    }
    const [client, , { spans }] = await setUp(t, answer, { retry: { backoff: 0 } })
    await client.upstream('api').get('/', { headers: { traceparent: '00-stale-stale-01' } })
    const attempts = spans().filter(({ kind }) => kind === SpanKind.CLIENT).map(span => span.spanContext())
    deepEqual(seen, attempts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`))
    notEqual(attempts[0]!.spanId, attempts[1]!.spanId)
  })

  test('the context goes out when a sampler has decided against the trace, too', async t => {
    const { tracerProvider, spans } = startSdk(t, new AlwaysOffSampler())
    const seen: unknown[] = []
    const [client] = await setUp(t, (request, response) => {
      seen.push(request.headers['traceparent'])
      response.end()
    }, {}, { tracerProvider })
    await client.upstream('api').get('/')
    match(String(seen[0]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    deepEqual(spans(), [])
  })

  test('a request by way of the dispatcher has both, and its context', async t => {
    const seen: string[] = []
    const [client, server, { spans }] = await setUp(t, (request, response) => {
      seen.push(String(request.headers['traceparent']))
      response.end('{}')
    })
    const { body } = await client.dispatcher().request({ origin: server.url, path: '/a?b', method: 'GET', headers: { a: 'b' } })
    await body.text()
    await eventually(() => spans().length === 2)
    const { traceId, spanId } = spans()[0]!.spanContext()
    deepEqual([spans().map(({ name }) => name), spans()[0]!.attributes['url.full']], [['GET', 'GET api'], `${server.url}/a`])
    deepEqual(seen, [`00-${traceId}-${spanId}-01`])
  })

  test('a failure is an error of its own type', async t => {
    const gate = hold()
    const [client, server, { spans }] = await setUp(t, byPath({ '/hold': gate.handler, '/': status(404) }), { retry: false })
    const api = client.upstream('api')
    const last = (): unknown[] => spans().slice(-2).map(({ attributes, status: { code } }) => [attributes['error.type'], code])

    await failure(api.get('/'), Error)
    deepEqual(last(), [['404', ERROR], ['404', ERROR]])
    await api.get('/', { throwOnStatus: false })
    deepEqual(last(), [['404', ERROR], ['404', OK]], 'the caller had said that it is none of the call')

    const controller = new AbortController()
    const aborted = failure(api.get('/hold', { signal: controller.signal }), Error)
    await eventually(() => gate.waiting === 1)
    controller.abort()
    await aborted
    deepEqual(last(), [[undefined, OK], [undefined, OK]])

    await eventually(() => gate.waiting === 0)
    const reset = failure(api.get('/hold'), Error)
    await eventually(() => gate.waiting === 1)
    server.resetConnections()
    await reset
    deepEqual(last(), [['ERR_CONNECTION', ERROR], ['ERR_CONNECTION', ERROR]])
  })

  test('a refused call has a span and no attempt', async t => {
    const [client, , { spans }] = await setUp(t)
    client.upstream('api').isolate()
    await failure(client.upstream('api').get('/'), Error)
    deepEqual(spans().map(({ name, attributes, status: { code } }) => [name, attributes['error.type'], code]), [
      ['GET api', 'ERR_CIRCUIT_OPEN', ERROR],
    ])
  })

  test('says why there was no further attempt', async t => {
    const [client, , { spans }] = await setUp(t, status(503))
    await failure(client.upstream('api').post('/'), Error)
    equal(spans().at(-1)!.attributes['breakwater.retry.stopped'], 'not repeatable')
  })

  test('a streamed call ends with its body', async t => {
    let end = (): void => {}
    const [client, , { spans }] = await setUp(t, (_, response) => {
      response.write('a')
      end = () => response.end()
    })
    const reply = await client.upstream('api').stream('GET', '/')
    equal(spans().length, 0)
    end()
    for await (const _ of reply.body);
    deepEqual(spans().map(({ name }) => name), ['GET', 'GET api'])
  })

  test('methods others make up and hosts nobody configured are in no name', async t => {
    const [client, server, { spans }] = await setUp(t, json({}), { upstreams: {} })
    await client.request('PROPFIND', server.url)
    const methods = spans().map(({ attributes: { 'http.request.method': method, 'http.request.method_original': original } }) =>
      [method, original])
    deepEqual(methods, [['_OTHER', 'PROPFIND'], ['_OTHER', 'PROPFIND']])
    deepEqual(spans().map(({ name }) => name), ['HTTP', 'HTTP'])
    const [other, , sdk] = await setUp(t, json({}), { upstreams: {} }, { methods: ['PROPFIND'] })
    await other.request('PROPFIND', server.url)
    deepEqual(sdk.spans().map(({ name }) => name), ['PROPFIND', 'PROPFIND'])
  })

  test('of calls in flight end when it is closed, and no more are begun', async t => {
    const gate = hold()
    const sdk = startSdk(t)
    const server = await closing(t, startServer(gate.handler))
    const client = await closing(t, createClient())
    const { close } = instrument(client, { tracerProvider: sdk.tracerProvider, meterProvider: false })
    const call = client.get(server.url)
    await eventually(() => gate.waiting === 1)
    close()
    close()
    equal(sdk.spans().length, 2)
    gate.release()
    await call
    await client.get(server.url)
    equal(sdk.spans().length, 2)
    for (const { name, hasSubscribers } of Object.values(channels) as EventChannel<object>[]) equal(hasSubscribers, false, name)
  })

  test('of a call that had begun before are those of its attempts to come', async t => {
    const sdk = startSdk(t)
    const server = await closing(t, startServer(inTurn(status(503), json({}))))
    const client = await closing(t, createClient({ retry: { backoff: 0 } }))
    const begin = (): void => {
      channels.retry.unsubscribe(begin)
      t.after(instrument(client, { tracerProvider: sdk.tracerProvider, meterProvider: false }).close)
    }
    channels.retry.subscribe(begin)
    await client.get(server.url)
    deepEqual(sdk.spans().map(({ name, attributes }) => [name, attributes['http.request.resend_count']]), [['GET', 1]])
  })

  test('the globals of the API serve where nothing else is given', async t => {
    const sdk = startSdk(t)
    trace.setGlobalTracerProvider(sdk.tracerProvider)
    const server = await closing(t, startServer())
    const client = await closing(t, createClient())
    t.after(instrument(client).close)
    await client.get(server.url)
    equal(sdk.spans().length, 2)
  })

  test('a propagator that sets what is no header fails no call, and is told of', async t => {
    const warnings: string[] = []
    const hear = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', hear)
    t.after(() => process.off('warning', hear))
    const [client] = await setUp(t, stream([]), {}, {
      propagator: { inject: (_, carrier, setter) => { setter.set(carrier as AttemptStartEvent, 'x', 'a\r\nb') } },
    })
    for (let call = 0; call < 3; call++) equal((await client.upstream('api').get('/')).status, 200)
    await eventually(() => warnings.length > 0)
    deepEqual(warnings, [
      "telemetry could not be recorded, calls are not affected: `setHeader('x')` contains control characters, "
      + 'which are not allowed in a header field',
    ])
  })

  test('leave what is active to the caller', async t => {
    const [client, , { tracerProvider }] = await setUp(t)
    await tracerProvider.getTracer('the service').startActiveSpan('mine', async span => {
      const call = client.upstream('api').get('/')
      equal(trace.getSpan(context.active()), span)
      await call
      equal(trace.getSpan(context.active()), span)
      span.end()
    })
  })
})
