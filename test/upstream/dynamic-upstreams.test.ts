import { deepEqual, equal, ok } from 'node:assert/strict'
import dns from 'node:dns'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import { systemEnv, type Env } from '../../src/clock.ts'
import { CircuitOpenError, createClient, LimitExceededError, UpstreamError, type Client } from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { hang, status as statusOf, testWorld } from '../../src/testing/index.ts'
import { closing, eventually, leaks } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { polluted } from '../support/polluted.ts'
import { hold, startServer, status, type TestServer } from '../support/server.ts'

/** As many origins as one likes, all of them one server. */
const start = async (
  t: TestContext, options: ClientOptions,
): Promise<[TestServer, Client, (name: number | string) => string]> => {
  type Done = (error: null, found: unknown, family?: number) => void
  t.mock.method(dns, 'lookup', (_host: string, { all }: { all?: boolean }, done: Done) => {
    const address = '127.0.0.1'
    setImmediate(() => { done(null, all === true ? [{ address, family: 4 }] : address, 4) })
  })
  const server = await closing(t, startServer())
  return [server, await closing(t, createClient({ retry: false, ...options })), name => `http://o${name}.test:${server.port}/`]
}

const circuits = (client: Client): Record<string, string> =>
  Object.fromEntries(client.snapshot().map(({ name, endpoints }) => [new URL(name).hostname, endpoints[0]!.circuit]))

/** Calls many cold origins, a few at a time; how many were refused. */
const burst = async (client: Client, at: (name: number) => string, count: number): Promise<number> => {
  let [next, refused] = [0, 0]
  const worker = async (): Promise<void> => {
    while (next < count) await client.get(at(next++)).catch(() => { refused++ })
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return refused
}

/** Fails calls until the circuit of a URL is open. */
const trip = async (client: Client, url: string): Promise<void> => {
  for (let i = 0; i < 10 && client.explain(url).snapshot?.endpoints[0]?.circuit !== 'open'; i++) {
    await failure(client.get(url), UpstreamError)
  }
  equal(client.explain(url).snapshot?.endpoints[0]?.circuit, 'open')
}

test('an upstream is found and added without anything read off Object.prototype', async t => {
  const [, client, at] = await start(t, {})
  const unread = (): never => { throw new Error('read') }
  const everything = { get start() { return unread() }, get ttl() { return unread() }, get allowStale() { return unread() } }
  const replies = [polluted(everything, () => client.get(at(1)))]
  await replies[0]
  replies.push(polluted(everything, () => client.get(at(1))))
  deepEqual((await Promise.all(replies)).map(({ status }) => status), [200, 200])
  equal(client.snapshot().length, 1)
})

suite('at most maxUpstreams are remembered', () => {
  test('and a burst of 3,000 cold origins evicts no open and no busy one', async t => {
    const breaker = { openTime: 60_000, maxOpenTime: 60_000, probeShare: 0 }
    const [server, client, at] = await start(t, { maxUpstreams: 100, deadline: 60_000, breaker })
    const gate = hold((_request, response) => void response.end('end'))
    server.handle((request, response) => {
      const host = request.headers.host ?? ''
      if (host.startsWith('obad')) return status(503)(request, response)
      if (host.startsWith('ostreamed')) response.writeHead(200).write('begin ')
      return /^o(busy|streamed)/.test(host) ? gate.handler(request, response) : status(200)(request, response)
    })
    for (let i = 0; i < 40; i++) await trip(client, at(`bad${i}`))
    const busy = client.get(at('busy'))
    const { body } = await client.stream('GET', at('streamed'))
    await eventually(() => gate.waiting === 2)
    const hits = server.hits
    equal(await burst(client, at, 3_000), 0, 'nobody was refused while there was somebody who could go')
    equal(server.hits, hits + 3_000)

    const states = circuits(client)
    equal(Object.keys(states).length, 100)
    for (let i = 0; i < 40; i++) equal(states[`obad${i}.test`], 'open')
    deepEqual([states['obusy.test'], states['ostreamed.test']], ['closed', 'closed'])
    gate.release()
    deepEqual([(await busy).text(), await text(body)], ['end', 'begin end'])
    await eventually(() => server.connections <= 100 - 40, { what: 'the connections of those that went are closed' })
    equal((await failure(client.get(at('bad7')), UpstreamError)).code, 'ERR_CIRCUIT_OPEN')
    equal(server.hits, hits + 3_000)
  })

  test('and when none of them can go, the newcomer is refused with a clear error', async t => {
    const [server, client, at] = await start(t, { maxUpstreams: 3, upstreams: { named: { url: 'http://named.test' } } })
    const gate = hold()
    server.handle(gate.handler)
    const busy = [1, 2, 3].map(name => client.get(at(name)))
    await eventually(() => gate.waiting === 3)
    const error = await failure(client.post(`${at('new')}path?secret`), LimitExceededError)
    deepEqual([error.code, error.kind, error.limit], ['ERR_LIMIT_EXCEEDED', 'upstreams', 3])
    deepEqual([error.sent, error.attempts], ['never', 0])
    ok(/raise maxUpstreams/.test(error.message) && !error.message.includes('secret'), error.message)
    gate.release(1)
    equal((await Promise.race(busy)).status, 200)
    const newcomer = client.get(at('new'))
    await eventually(() => gate.waiting === 3)
    gate.release()
    await Promise.all([...busy, newcomer])
    equal(client.snapshot().length, 4, 'those configured by name come on top')
  })
})

suite('dead origins do not lock others out', () => {
  const breaker = { openTime: 60_000, maxOpenTime: 60_000, probeShare: 0 }

  test('one makes room for another origin when there is no healthy one to evict, the least recently called first', async t => {
    const [server, client, at] = await start(t, { maxUpstreams: 3, breaker })
    server.handle((request, response) => status(/^ogood/.test(request.headers.host ?? '') ? 200 : 503)(request, response))
    for (const name of ['bad1', 'bad2', 'bad3']) await trip(client, at(name))
    await failure(client.get(at('bad1')), CircuitOpenError)
    equal((await client.get(at('good1'))).status, 200)
    equal((await client.get(at('good2'))).status, 200, 'the healthy one is evicted before another dead one')
    deepEqual(circuits(client), { 'ogood2.test': 'closed', 'obad1.test': 'open', 'obad3.test': 'open' })
  })

  test('one that would admit its next call goes before one that still refuses calls, and one with calls never goes', async t => {
    const world = testWorld()
    for (const name of ['busy', 'long', 'short', 'good', 'last']) world.upstream(`http://${name}`).always(statusOf(503))
    world.upstream('http://busy').always(hang())
    world.upstream('http://good').always(statusOf(200))
    const once = { consecutive: 1, openTime: 1_000, probeShare: 0 }
    const options = { retry: false, maxUpstreams: 3, deadline: 60_000, breaker: once }
    const client = await closing(t, createClient({ ...options, ...world.options } as ClientOptions))
    const fail = async (name: string): Promise<unknown> => world.until(failure(client.get(`http://${name}/`), UpstreamError))
    const names = (): string[] => client.snapshot().map(({ name }) => name.slice('http://'.length)).sort()
    const busy = failure(client.get('http://busy/'), UpstreamError)
    await fail('long')
    await world.advance(1_000)
    await fail('long') // the probe: open for another 1.6 to 2 s
    await fail('short')
    await world.advance(1_100)
    equal((await world.until(client.get('http://good/'))).status, 200)
    deepEqual(names(), ['busy', 'good', 'long'])
    await fail('last')
    deepEqual(names(), ['busy', 'last', 'long'])
    await client.destroy()
    await world.until(busy)
  })
})

suite('idle ones', () => {
  test('are drained after idleTimeout, and their sockets close; those in use and those configured stay', async t => {
    const options = { idleTimeout: 150, pool: { idleTimeout: 30_000 } }
    const [server, client, at] = await start(t, options)
    const kept = await closing(t, createClient({ ...options, upstreams: { [server.url]: {} } }))
    await kept.get(server.url)
    const before = server.connections
    await burst(client, at, 50)
    const gate = hold(status(200))
    server.handle(gate.handler)
    const busy = client.get(at('busy'))
    await eventually(() => gate.waiting === 1)
    await eventually(() => client.snapshot().length === 1 && server.connections === before + 1)
    deepEqual(Object.keys(circuits(client)), ['obusy.test'])
    gate.release()
    equal((await busy).status, 200)
    await eventually(() => client.snapshot().length === 0 && server.connections === before)
    deepEqual([kept.snapshot().length, before], [1, 1])
    equal((await client.get(at(1))).status, 200, 'and are made anew when they are called again')
  })

  test('whose circuit is open stay as long as it would refuse a call, and no longer', async t => {
    const [server, client, at] = await start(t, { idleTimeout: 60, breaker: { openTime: 600, maxOpenTime: 600, probeShare: 0 } })
    server.handle(status(503))
    await trip(client, at('bad'))
    const tripped = performance.now()
    await eventually(() => client.snapshot().length === 0, { what: 'a dead origin that nobody calls is not kept for ever' })
    ok(performance.now() - tripped >= 600 * 0.8 - 10, 'the outage was remembered for its open time')
  })
})

suite('a dispatcher of pool.factory', () => {
  /** A dispatcher that replies to every request, and counts how often it is closed and destroyed. */
  const dispatcher = (close = (): Promise<void> => Promise.resolve()): { closed: number; destroyed: number } & object => {
    const counted = {
      closed: 0, destroyed: 0,
      dispatch: (_: unknown, handler: { onRequestStart(c: object): void; onResponseError(c: object, error: Error): void }) => {
        const controller = { pause: () => undefined, resume: () => undefined, abort: () => undefined }
        handler.onRequestStart(controller)
        queueMicrotask(() => { handler.onResponseError(controller, new Error('down')) })
        return true
      },
      close: () => {
        counted.closed++
        return close()
      },
      destroy: () => {
        counted.destroyed++
        return Promise.resolve()
      },
    }
    return counted
  }
  const clientOf = (factory: (origin: string) => object, maxUpstreams = 1): Client =>
    createClient({ maxUpstreams, retry: false, breaker: false, pool: { factory } } as unknown as ClientOptions)

  test('that serves several origins, or clients, is closed with the last of them', async () => {
    const shared = dispatcher()
    const [one, two] = [clientOf(() => shared, 2), clientOf(() => shared, 2)]
    for (const client of [one, two]) for (const host of ['a', 'b', 'c']) await failure(client.get(`http://${host}.test/`), Error)
    await one.close()
    deepEqual([shared.closed, shared.destroyed], [0, 0])
    await two.close()
    deepEqual([shared.closed, shared.destroyed], [1, 0])
  })

  test('that fails to close is reported as a warning; a client that is closed rejects', async t => {
    const warnings = t.mock.method(process, 'emitWarning', () => undefined)
    const client = clientOf(() => dispatcher(() => Promise.reject(new Error('secret'))))
    for (const host of ['a', 'b']) await failure(client.get(`http://${host}.test/`), Error)
    await eventually(() => warnings.mock.callCount() === 1)
    const [message] = warnings.mock.calls[0]!.arguments as unknown as [string]
    equal(message, 'The connections to http://a.test could not be closed: Error')
    equal((await failure(client.close(), Error)).message, 'secret')
    equal(warnings.mock.callCount(), 1)
  })
})

test('there is no timer for each upstream', async t => {
  let [background, exact] = [0, 0]
  const { clock, random } = systemEnv
  const env: Env = {
    random,
    clock: {
      now: () => clock.now(),
      get stalledAt(): number { return clock.stalledAt },
      after: (ms, run, isBackground = false) => {
        if (isBackground) background++
        else exact++
        return clock.after(ms, run, isBackground)
      },
    },
  }
  const watch = leaks()
  const [, client, at] = await start(t, { env, maxUpstreams: 300, pool: { idleTimeout: 30_000 } })
  await burst(client, at, 300)
  equal(client.snapshot().length, 300)
  deepEqual([background, exact], [1, 600], 'one sweep for all; a deadline and a connect time-out for each call')
  await eventually(() => (watch.found()['Timeout'] ?? 0) <= 1, { what: 'only the shared ones are left' })
})
