import { AsyncLocalStorage } from 'node:async_hooks'
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import {
  channels, createClient, OptionError, type AttemptStartEvent, type CallEvent, type Client, type ClientOptions, type EventChannel,
} from '../src/index.ts'
import type { Dispatcher } from 'undici'
import { closing, eventually } from './support/check.ts'
import { testEnv } from './support/clock.ts'
import { learnLatency, numberAttempts, slowFirst } from './support/hedging.ts'
import { byPath, hold, inTurn, json, startServer, status, type Handler, type TestServer } from './support/server.ts'

type Context = Parameters<typeof closing>[0]
type Name = keyof typeof channels
type Seen = readonly [name: Name, message: Readonly<Record<string, unknown>>]

const all = Object.entries(channels) as unknown as [Name, EventChannel<Record<string, unknown>>][]

/**
 * Listens to these channels, or to all, until the test ends. Times differ each run: any number of ms becomes `ms`. Numbers
 * of calls are those since the test began; the client has no name of its own and is left out.
 */
const record = (t: Context, ...names: Name[]): Seen[] => {
  const seen: Seen[] = []
  const calls: unknown[] = []
  for (const [name, channel] of all) {
    if (names.length > 0 && !names.includes(name)) continue
    const listener = (message: Record<string, unknown>): void => {
      const { client, call, setHeader, ...rest } = message
      match(String(client), /^default/)
      equal(typeof setHeader, name === 'attemptStart' ? 'function' : 'undefined')
      if (call !== undefined && !calls.includes(call)) calls.push(call)
      const number = call === undefined ? {} : { call: calls.indexOf(call) + 1 }
      const times = ['duration', 'delay', 'queued'].filter(key => typeof message[key] === 'number' && message[key] >= 0)
      seen.push([name, { ...number, ...rest, ...Object.fromEntries(times.map(key => [key, 'ms'])) }])
    }
    channel.subscribe(listener)
    t.after(async () => { channel.unsubscribe(listener) })
  }
  return seen
}

const setUp = async (t: Context, handler: Handler, options: ClientOptions = {}): Promise<[Client, TestServer]> => {
  const server = await closing(t, startServer(handler))
  const client = await closing(t, createClient({ upstreams: { api: { url: server.url } }, ...options }))
  return [client, server]
}
const failed = (run: Promise<unknown>): Promise<void> => rejects(run)
const ms = 'ms'

describe('events', () => {
  test('are channels of node:diagnostics_channel, by their names', () => {
    deepEqual(all.map(([, { name }]) => name), [
      'breakwater:call:start', 'breakwater:call:end', 'breakwater:call:refused', 'breakwater:call:rescued',
      'breakwater:call:joined', 'breakwater:attempt:start', 'breakwater:attempt:end', 'breakwater:retry',
      'breakwater:retry:stopped',
      'breakwater:hedge', 'breakwater:circuit', 'breakwater:upstream:made', 'breakwater:upstream:gone',
    ])
    for (const [, channel] of all) equal(diagnostics.channel(channel.name), channel)
  })

  test('tell of a call that goes well', async t => {
    const [client, { url }] = await setUp(t, json({}))
    const seen = record(t)
    await client.upstream('api').put('/x?y', { json: {} })
    const healthy = { attempt: 1, duration: ms, verdict: 'healthy', status: 200, protocol: '1.1' }
    const call = { call: 1, upstream: 'api', method: 'PUT' }
    deepEqual(seen, [
      ['callStart', { ...call, path: '/x' }],
      ['attemptStart', { ...call, path: '/x', endpoint: url, attempt: 1 }],
      ['attemptEnd', { ...call, endpoint: url, ...healthy }],
      ['callEnd', { ...call, attempts: 1, duration: ms, queued: ms, status: 200 }],
    ])
  })

  test('tell of a retry that helps', async t => {
    const [client, { url }] = await setUp(t, inTurn(status(503), json({})), { retry: { backoff: 0 } })
    const seen = record(t)
    await client.upstream('api').get('/')
    const call = { call: 1, upstream: 'api', method: 'GET' }
    const attempt = { ...call, endpoint: url }
    deepEqual(seen, [
      ['callStart', { ...call, path: '/' }],
      ['attemptStart', { ...attempt, path: '/', attempt: 1 }],
      ['attemptEnd', { ...attempt, duration: ms, attempt: 1, verdict: 'gateway', status: 503, protocol: '1.1' }],
      ['retry', { ...call, attempt: 2, delay: ms }],
      ['attemptStart', { ...attempt, path: '/', attempt: 2 }],
      ['attemptEnd', { ...attempt, duration: ms, attempt: 2, verdict: 'healthy', status: 200, protocol: '1.1' }],
      ['callEnd', { ...call, attempts: 2, duration: ms, queued: ms, status: 200 }],
    ])
  })

  test('tell of a second attempt beside a slow one, and which of the two was given up', async t => {
    const [client] = await setUp(t, slowFirst, { hedge: { minimumCalls: 1 } })
    numberAttempts(t)
    await learnLatency(() => client.upstream('api').get('/'))
    const seen = record(t, 'hedge', 'attemptEnd')
    equal((await client.upstream('api').get('/slow')).attempts, 2)
    await eventually(() => seen.length === 3)
    deepEqual(seen.map(([name, { attempt, error, status }]) => [name, attempt, error ?? status]), [
      ['hedge', 2, undefined], ['attemptEnd', 2, 200], ['attemptEnd', 1, 'superseded'],
    ])
  })

  test('tell why a retry does not follow', async t => {
    const [client] = await setUp(t, status(500), { retry: { limit: 1, backoff: 0 } })
    const seen = record(t, 'retryStopped', 'callEnd')
    await failed(client.upstream('api').get('/'))
    await failed(client.upstream('api').post('/'))
    await client.upstream('api').get('/', { retry: false, throwOnStatus: false })
    const ended = { duration: ms, queued: ms, status: 500 }
    deepEqual(seen, [
      ['retryStopped', { call: 1, upstream: 'api', method: 'GET', attempts: 2, reason: 'limit' }],
      ['callEnd', { call: 1, upstream: 'api', method: 'GET', attempts: 2, ...ended, error: 'ERR_STATUS' }],
      ['retryStopped', { call: 2, upstream: 'api', method: 'POST', attempts: 1, reason: 'not repeatable' }],
      ['callEnd', { call: 2, upstream: 'api', method: 'POST', attempts: 1, ...ended, error: 'ERR_STATUS' }],
      ['callEnd', { call: 3, upstream: 'api', method: 'GET', attempts: 1, ...ended }],
    ])
  })

  test('tell how a call failed without a status', async t => {
    const gate = hold()
    const [client, server] = await setUp(t, gate.handler, { retry: false })
    const seen = record(t, 'attemptEnd', 'callEnd')
    const controller = new AbortController()
    const aborted = failed(client.upstream('api').get('/', { signal: controller.signal }))
    await eventually(() => gate.waiting === 1)
    controller.abort()
    await aborted
    await eventually(() => gate.waiting === 0)
    const reset = failed(client.upstream('api').get('/'))
    await eventually(() => gate.waiting === 1)
    server.resetConnections()
    await reset
    const attempt = { upstream: 'api', endpoint: server.url, method: 'GET', attempt: 1, duration: ms }
    const call = { upstream: 'api', method: 'GET', attempts: 1, duration: ms, queued: ms }
    deepEqual(seen, [
      ['attemptEnd', { call: 1, ...attempt, verdict: 'none', error: 'aborted' }],
      ['callEnd', { call: 1, ...call, error: 'aborted' }],
      ['attemptEnd', { call: 2, ...attempt, verdict: 'gateway', error: 'ERR_CONNECTION' }],
      ['callEnd', { call: 2, ...call, error: 'ERR_CONNECTION' }],
    ])
  })

  test('tell of a mistake of the caller by its own code', async t => {
    const [client] = await setUp(t, json({}))
    const seen = record(t, 'callEnd')
    await failed(client.upstream('api').get('/', { headers: { 'transfer-encoding': 'chunked' } }))
    const call = { call: 1, upstream: 'api', method: 'GET', attempts: 1, duration: ms, queued: ms }
    deepEqual(seen, [['callEnd', { ...call, error: 'ERR_OPTION' }]])
  })

  test('tell of no start that has no end', async t => {
    const [client, { url }] = await setUp(t, json({}), { deadline: 1_000 })
    const seen = record(t, 'callStart', 'callEnd')
    await failed(client.upstream('api').get('/', { attemptTimeout: 2_000 }))
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) { controller.abort(new Error('changed my mind')) },
      onResponseError() {},
    }
    client.dispatcher().dispatch({ origin: url, path: '/', method: 'GET' }, handler)
    equal(seen.length, 0)
    await (await client.dispatcher().request({ origin: url, path: '/', method: 'GET' })).body.text()
    await eventually(() => seen.some(([name]) => name === 'callEnd'))
    deepEqual(seen.map(([name]) => name), ['callStart', 'callEnd'])
  })

  test('tell of a streamed call when its body has ended', async t => {
    let end = (): void => {}
    const [client] = await setUp(t, (_, response) => {
      response.write('a')
      end = () => response.end()
    })
    const seen = record(t, 'callEnd', 'attemptEnd')
    const reply = await client.upstream('api').stream('GET', '/')
    equal(seen.length, 0)
    end()
    for await (const _ of reply.body);
    deepEqual(seen.map(([name, { status: code }]) => [name, code]), [['attemptEnd', 200], ['callEnd', 200]])
  })

  test('tell of each refusal', async t => {
    const gate = hold()
    const [client, server] = await setUp(t, gate.handler, { limit: { max: 1, queue: 0 }, maxUpstreams: 1 })
    const seen = record(t, 'refused')
    const busy = client.upstream('api').get('/')
    await eventually(() => gate.waiting === 1)
    await failed(client.upstream('api').get('/'))
    client.upstream('api').isolate()
    await failed(client.upstream('api').delete('/'))
    const other = await closing(t, startServer(gate.handler))
    const pinned = client.get(other.url)
    await eventually(() => gate.waiting === 2)
    await failed(client.head('http://127.0.0.1:1/'))
    const closed = client.close()
    await failed(client.upstream('api').post('/'))
    gate.release()
    await Promise.all([busy, pinned, closed])
    deepEqual(seen, [
      ['refused', { upstream: 'api', method: 'GET', error: 'ERR_LIMIT_EXCEEDED', kind: 'permits' }],
      ['refused', { upstream: 'api', method: 'DELETE', error: 'ERR_CIRCUIT_OPEN' }],
      ['refused', { upstream: 'http://127.0.0.1:1', method: 'HEAD', error: 'ERR_LIMIT_EXCEEDED', kind: 'upstreams' }],
      ['refused', { upstream: 'api', method: 'POST', error: 'ERR_DRAINING' }],
    ])
    equal(server.hits, 1)
  })

  test('tell how long a call waited for a permit, also in vain', async t => {
    const gate = hold()
    const { clock, random } = testEnv()
    const [client] = await setUp(t, gate.handler, {
      name: 'waiting', env: { clock, random }, deadline: 100, limit: { max: 1, queueTimeout: 40 },
    })
    const waits: number[] = []
    const listener = ({ queued, client: name }: CallEvent): void => { if (name === 'waiting') waits.push(queued) }
    channels.callEnd.subscribe(listener)
    t.after(() => channels.callEnd.unsubscribe(listener))
    const busy = client.upstream('api').get('/')
    await eventually(() => gate.waiting === 1)
    const controller = new AbortController()
    const inVain = failed(client.upstream('api').get('/'))
    const aborted = failed(client.upstream('api').get('/', { signal: controller.signal }))
    await clock.advance(10)
    controller.abort()
    await aborted
    await clock.advance(30)
    await inVain
    gate.release()
    await busy
    deepEqual(waits, [10, 40, 0])
  })

  test('tell two clients apart: by the names they were given, else by their turn', async t => {
    const server = await closing(t, startServer())
    const names: string[] = []
    const listener = ({ client }: CallEvent): void => { names.push(client) }
    channels.callEnd.subscribe(listener)
    t.after(() => channels.callEnd.unsubscribe(listener))
    const clients = [createClient({ name: 'a' }), createClient({ name: 'b' }), createClient(), createClient()]
    for (const client of clients) await (await closing(t, client)).get(server.url)
    deepEqual(names, clients.map(({ name }) => name))
    equal(new Set(names).size, 4)
  })

  test('tell of each change of a circuit', async t => {
    const [client, { url }] = await setUp(t, inTurn(status(502), status(502), json({})), {
      retry: false, throwOnStatus: false, breaker: { consecutive: 2, probes: 1, openTime: 1 },
    })
    const seen = record(t, 'circuit')
    const api = client.upstream('api')
    await api.get('/')
    await api.get('/')
    await eventually(() => api.get('/'), { what: 'a probe is let through' })
    api.isolate()
    api.restore()
    const changes = [
      ['closed', 'open', 'consecutive failures'], ['open', 'half-open', 'probing'], ['half-open', 'closed', 'probes succeeded'],
      ['closed', 'isolated', 'isolated by hand'], ['isolated', 'closed', 'restored by hand'],
    ]
    deepEqual(seen, changes.map(([from, to, reason]) => ['circuit', { upstream: 'api', endpoint: url, from, to, reason }]))
  })

  test('tell of upstreams that come and go', async t => {
    const seen = record(t, 'upstreamMade', 'upstreamGone')
    const [client, { url }] = await setUp(t, json({}))
    const other = await closing(t, startServer())
    await client.get(url)
    await client.get(other.url)
    await client.close()
    const [api, dynamic] = [{ upstream: 'api' }, { upstream: other.url }]
    deepEqual(seen.slice(0, 2), [['upstreamMade', api], ['upstreamMade', dynamic]])
    deepEqual(new Set(seen.slice(2)), new Set([['upstreamGone', api], ['upstreamGone', dynamic]]))
    await client.destroy()
    equal(seen.length, 4, 'each goes once')
  })

  test('let a listener add header fields to each attempt, over those of the caller', async t => {
    const seen: unknown[] = []
    const [client] = await setUp(t, (request, response) => {
      seen.push([request.headers['traceparent'], request.headers['x-of'], request.headers['x-once']])
      response.writeHead(seen.length === 1 ? 503 : 200).end()
    }, { retry: { backoff: 0 }, headers: { 'x-of': 'the upstream' } })
    const add = ({ attempt, setHeader }: AttemptStartEvent): void => {
      setHeader('TraceParent', `attempt ${attempt}`)
      if (attempt === 1) setHeader('x-once', 'yes')
    }
    channels.attemptStart.subscribe(add)
    await client.upstream('api').get('/', { headers: { traceparent: 'the caller' } })
    channels.attemptStart.unsubscribe(add)
    await client.upstream('api').get('/', { headers: { traceparent: 'the caller' } })
    deepEqual(seen, [
      ['attempt 1', 'the upstream', 'yes'], ['attempt 2', 'the upstream', undefined], ['the caller', 'the upstream', undefined],
    ])
  })

  test('refuse a header field that would break the message, in the listener and not in the call', async t => {
    const [client] = await setUp(t, json({}))
    const bad: [string, string][] = [
      ['x', 'a\r\nhost: evil'], ['a b', 'x'], ['', 'x'],
      ['Content-Length', '3'], ['transfer-encoding', 'chunked'], ['host', 'evil'],
    ]
    const refusals: unknown[] = []
    const add = ({ setHeader }: AttemptStartEvent): void => {
      for (const [name, value] of bad) {
        try {
          setHeader(name, value)
        } catch (error) {
          refusals.push(error)
        }
      }
    }
    channels.attemptStart.subscribe(add)
    t.after(() => channels.attemptStart.unsubscribe(add))
    deepEqual(await client.upstream('api').get('/').json(), {})
    equal(refusals.length, bad.length)
    for (const error of refusals) ok(error instanceof OptionError && !error.message.includes('evil'), String(error))
  })

  test('cost nothing while nobody listens', async t => {
    const published: string[] = []
    for (const [name, channel] of all) {
      // Not mock.method(): a channel changes its prototype with its first listener, and what is restored is the old method.
      Object.defineProperty(channel, 'publish', { configurable: true, value: () => published.push(name) })
      t.after(async () => { Reflect.deleteProperty(channel, 'publish') })
    }
    await everything(t)
    deepEqual(published, [])
  })

  test('hold nothing secret', async t => {
    const seen = record(t)
    await everything(t)
    deepEqual(new Set(seen.map(([name]) => name)), new Set(all.map(([name]) => name)), 'every channel has spoken')
    ok(!JSON.stringify(seen).includes('hunter2'))
  })
})

/** Makes every event happen at least once, with secrets wherever a caller may have some. */
async function everything(t: Context): Promise<void> {
  const secret = 'hunter2'
  const bad = status(502, { 'set-cookie': secret }, secret)
  let slow = 0
  const [client] = await setUp(t, byPath({
    '/bad': bad, '/': json({ secret }, 200, { 'set-cookie': secret }),
    '/slow': (request, response) => { if (slow++ !== 10) void json({ secret })(request, response) },
  }), {
    retry: { limit: 1, backoff: 0 }, breaker: { consecutive: 3 }, hedge: { minimumCalls: 1 }, coalesce: true,
  })
  const options = { headers: { authorization: secret }, query: { token: secret } }
  await client.upstream('api').post('/', { ...options, json: { secret }, idempotencyKey: secret })
  for (let call = 0; call < 11; call++) await client.upstream('api').get('/slow', options)
  for (let call = 0; call < 3; call++) await failed(client.upstream('api').put('/bad', { ...options, body: secret }))
  await Promise.all([1, 2].map(() => client.upstream('api').get('/', { ...options, fallback: () => ({ json: { secret } }) })))
  await client.close()
}

test("listeners run in the async context of the call's own caller, also when it was queued or is retried", async t => {
  const user = new AsyncLocalStorage<string>()
  const users = ['ann', 'bob', 'cat', 'dan']
  const callers = new Map<number, string | undefined>()
  const seen: [string, string | undefined, string | undefined][] = []
  const begin = ({ call }: { call: number }): void => { callers.set(call, user.getStore()) }
  const see = (what: string) => ({ call }: { call: number }): void => { seen.push([what, callers.get(call), user.getStore()]) }
  const listeners = { attemptStart: see('start'), attemptEnd: see('end'), retry: see('retry'), callEnd: see('over') } as const
  channels.callStart.subscribe(begin)
  t.after(() => channels.callStart.unsubscribe(begin))
  for (const name of ['attemptStart', 'attemptEnd', 'retry', 'callEnd'] as const) {
    channels[name].subscribe(listeners[name])
    t.after(() => channels[name].unsubscribe(listeners[name]))
  }
  const tried = new Set<string | undefined>()
  const server = await closing(t, startServer(({ url }, response) => {
    response.writeHead(tried.has(url) ? 200 : 503).end()
    tried.add(url)
  }))
  const client = await closing(t, createClient({ breaker: false, retry: { backoff: 1 }, limit: { max: 1, adaptive: false } }))
  await Promise.all(users.map(name => user.run(name, () => client.get(`${server.url}/${name}`))))
  deepEqual(seen.filter(([, caller, found]) => caller !== found), [])
  for (const [what, count] of [['start', 8], ['end', 8], ['retry', 4], ['over', 4]] as const) {
    equal(seen.filter(([name]) => name === what).length, count, what)
  }
})

test('two copies of the package in one process use no name of a client and no number of a call twice', async t => {
  const calls: string[] = []
  const record = ({ client, call }: CallEvent): void => { calls.push(`${client}#${call}`) }
  channels.callEnd.subscribe(record)
  t.after(() => channels.callEnd.unsubscribe(record))
  const copy = new URL('../src/outcome/counters.ts?copy', import.meta.url).href
  const { counters } = await import(copy) as typeof import('../src/outcome/counters.ts')
  const server = await closing(t, startServer(json({})))
  const number = ++counters.calls
  const name = `default-${++counters.unnamed + 1}`
  const client = await closing(t, createClient())
  await client.get(server.url)
  deepEqual(calls, [`${name}#${number + 1}`])
})
