import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import express from 'express'
import fastify from 'fastify'
import { createClient, OptionError, type ClientOptions } from '../../src/index.ts'
import { createHealth, type HealthOptions, type HealthReport } from '../../src/server/index.ts'
import { closing, eventually } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { hold, listen, startServer, status } from '../support/server.ts'

/** Serves a listener; gives its origin. */
const serve = async (t: TestContext, listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  t.after(() => new Promise<void>(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  }))
  return `http://127.0.0.1:${await listen(server)}`
}

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()
const bodyOf = async (response: Response): Promise<HealthReport> => await response.json() as HealthReport

/** A client of a dead upstream and a live one on a clock that stands still, and what its health says of them. */
const service = async (t: TestContext, options: HealthOptions = {}, more: ClientOptions = {}) => {
  const env = testEnv()
  const live = await closing(t, startServer())
  const dead = await startServer()
  await dead.close()
  const client = await closing(t, createClient({
    retry: false, env, upstreams: { payments: { url: dead.url }, search: { url: live.url } }, ...more,
  }))
  // A lot by which the turn of this replica begins now.
  const cycle = (options.maxUnready ?? 30_000) / 0.1
  const random = (): number => (cycle - env.clock.now() % cycle + 1) / cycle
  const health = createHealth(client, { refresh: 0, env: { clock: env.clock, random }, ...options })
  /** Lets so much time pass, in which calls come and go. */
  const pass = async (ms: number, upstream = 'payments'): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      for (let call = 0; call < 5; call++) await client.upstream(upstream).get('/').catch(() => undefined)
      health.report()
      await env.clock.advance(1_000)
    }
    for (let call = 0; call < 5; call++) await client.upstream(upstream).get('/').catch(() => undefined)
  }
  return { env, client, health, live, pass }
}

const named = ({ upstreams = [] }: HealthReport, name: string) => upstreams.find(upstream => upstream.name === name)

describe('the health handler', () => {
  test('answers its own paths, as the draft has it, and no other', async t => {
    const { health } = await service(t)
    const url = await serve(t, (request, response) => { if (!health(request, response)) response.writeHead(404).end('app') })
    for (const path of ['/livez', '/readyz', '/readyz?verbose']) {
      const response = await fetch(url + path)
      deepEqual([response.status, (await bodyOf(response)).status], [200, 'pass'], path)
      equal(response.headers.get('content-type'), 'application/health+json')
      equal(response.headers.get('cache-control'), 'no-store')
    }
    for (const path of ['/', '/readyz/', '/livezz', '/api/livez']) equal(await (await fetch(url + path)).text(), 'app')
  })

  test('answers HEAD without a body, and refuses what would change something', async t => {
    const { health } = await service(t)
    const url = await serve(t, (request, response) => void health(request, response))
    const head = await fetch(`${url}/readyz`, { method: 'HEAD' })
    deepEqual([head.status, await head.text()], [200, ''])
    ok(Number(head.headers.get('content-length')) > 10)
    const post = await fetch(`${url}/readyz`, { method: 'POST', body: 'x' })
    deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  })

  test('goes into Express as it is, and hands on what is not its own', async t => {
    const { health } = await service(t)
    const app = express().use(health).get('/', (_, response) => void response.send('app'))
    const url = await serve(t, app as (request: IncomingMessage, response: ServerResponse) => void)
    deepEqual([await textOf(`${url}/livez`), await textOf(url)], ['{"status":"pass"}', 'app'])
  })

  test('goes into Fastify by its raw request', async t => {
    const { health } = await service(t)
    const app = fastify()
    t.after(() => app.close())
    app.addHook('onRequest', (request, reply, done) => {
      if (health(request.raw, reply.raw)) reply.hijack()
      else done()
    })
    app.get('/', () => 'app')
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    deepEqual([await textOf(`${url}/livez`), await textOf(url)], ['{"status":"pass"}', 'app'])
  })

  test('refuses options that make no sense', async t => {
    const { client } = await service(t)
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ critical: ['paymnts'] }, /^`critical\[0\]`: unknown upstream 'paymnts': did you mean 'payments'\?$/],
      [{ livePath: 'livez' }, /^`livePath` must be /], [{ readyPath: '/ready?x' }, /^`readyPath` must be /],
      [{ unreadyShare: 0 }, /^`unreadyShare` must be /], [{ maxUnready: Infinity }, /^`maxUnready` must be /],
      [{ ready: '/' }, /^unknown option `ready`: expected one of livePath, readyPath/],
    ]
    for (const [options, message] of wrong) throws(() => createHealth(client, options), { name: OptionError.name, message })
    throws(() => createHealth(client, null as never), /^OptionError: `options` must be /)
    for (const given of [undefined, {}, 'client']) throws(() => createHealth(given as never), /^OptionError: `client` must be /)
    const polluted = JSON.parse('{"__proto__": {"readyPath": 5}}') as HealthOptions
    throws(() => createHealth(client, polluted), /unknown option `__proto__`: /)
  })
})

describe('readiness', () => {
  test('warns of an upstream that is out, and stays ready', async t => {
    const { health, pass } = await service(t)
    await pass(60_000)
    const report = health.report()
    equal(report.status, 'warn')
    const payments = named(report, 'payments')
    deepEqual([payments?.status, payments?.critical, payments?.endpoints[0]?.circuit], ['fail', false, 'open'])
    match(payments?.endpoints[0]?.why ?? '', /consecutive failures/)
    deepEqual([named(report, 'search')?.status, report.upstreams?.[0]?.name], ['pass', 'payments'])
  })

  test('fails for a critical upstream when it is the turn of this replica, and comes back degraded', async t => {
    const { health, pass, env } = await service(t, { critical: ['payments'] })
    const url = await serve(t, (request, response) => void health(request, response))
    await pass(9_000)
    equal((await fetch(`${url}/readyz`)).status, 200, 'not yet')
    await pass(1_000)
    const unready = await fetch(`${url}/readyz`)
    equal(unready.status, 503)
    match((await bodyOf(unready)).output ?? '', /^critical upstream payments is unavailable/)
    equal((await fetch(`${url}/livez`)).status, 200, 'whatever befalls an upstream')
    await pass(20_000)
    deepEqual([(await fetch(`${url}/readyz`)).status, (await bodyOf(await fetch(`${url}/readyz`))).status], [200, 'warn'])
    ok(env.clock.pending < 5, 'no timer is left behind')
  })

  test('of a replica that nobody calls any more comes back by itself: its circuit waits for a call', async t => {
    const { health, pass, env } = await service(t, { critical: ['payments'], maxUnready: 600_000 })
    await pass(12_000)
    equal(health.report().status, 'fail')
    const open = named(health.report(), 'payments')?.endpoints[0]?.probeIn ?? 0
    await env.clock.advance(open)
    equal(named(health.report(), 'payments')?.status, 'warn', 'the next call is a probe')
    equal(health.report().status, 'fail')
    await env.clock.advance(15_000)
    equal(health.report().status, 'warn')
  })

  test('is not affected by a critical upstream that somebody has isolated', async t => {
    const { health, client, env } = await service(t, { critical: ['payments'] })
    client.upstream('payments').isolate()
    for (let passed = 0; passed < 60; passed++) {
      equal(health.report().status, 'warn')
      await env.clock.advance(1_000)
    }
    equal(named(health.report(), 'payments')?.status, 'fail')
  })

  test('warns of an upstream with one endpoint out of two', async t => {
    const live = await closing(t, startServer())
    const dead = await closing(t, startServer(status(500)))
    const { client, health } = await service(t, { critical: ['pair'] }, { upstreams: { pair: { url: [live.url, dead.url] } } })
    for (let call = 0; call < 60; call++) await client.upstream('pair').get('/').catch(() => undefined)
    deepEqual(named(health.report(), 'pair')?.endpoints.map(({ circuit }) => circuit), ['closed', 'open'])
    deepEqual([health.report().status, named(health.report(), 'pair')?.status], ['warn', 'warn'])
  })

  test('tells how full an upstream is, and warns when calls wait', async t => {
    const gate = hold()
    const busy = await closing(t, startServer(gate.handler))
    const { client, health } = await service(t, {}, {
      upstreams: { busy: { url: busy.url, limit: { max: 2, adaptive: false } }, free: { url: 'http://127.0.0.1:9', limit: false } },
    })
    const calls = [1, 2, 3].map(() => client.upstream('busy').get('/'))
    await eventually(() => gate.waiting === 2)
    const full = named(health.report(), 'busy')
    deepEqual([full?.status, full?.saturation, full?.limit], ['warn', 1, { max: 2, inFlight: 2, queued: 1 }])
    deepEqual([named(health.report(), 'free')?.saturation, named(health.report(), 'free')?.limit.max], [null, null])
    gate.release()
    await Promise.all(calls)
    deepEqual([named(health.report(), 'busy')?.status, named(health.report(), 'busy')?.saturation], ['pass', 0])
  })

  test('fails when the client is closed', async t => {
    const { client, health } = await service(t)
    await client.close()
    deepEqual([health.report().status, health.report().output], ['fail', 'the client is closed'])
  })
})

describe('a health report', () => {
  test('holds no error unless it is asked for, nothing but a status if that is wanted', async t => {
    const { client, env, pass, health } = await service(t)
    await pass(1_000)
    ok(!JSON.stringify(health.report()).includes('ECONNREFUSED'))
    const asked = createHealth(client, { errors: true, env }).report()
    match(named(asked, 'payments')?.errors?.[0]?.message ?? '', /ECONNREFUSED/)
    deepEqual(createHealth(client, { details: false, env }).report(), { status: 'warn' })
  })

  test('is bounded, the worst first, and says how many it leaves out', async t => {
    const { client, env, live } = await service(t, {}, { upstreams: {} })
    for (let host = 2; host < 12; host++) await client.get(live.url.replace('127.0.0.1', `127.0.0.${host}`)).catch(() => undefined)
    const dead = live.url.replace('127.0.0.1', '127.0.0.9')
    for (let call = 0; call < 20; call++) await client.get(dead).catch(() => undefined)
    const report = createHealth(client, { maxUpstreams: 3, env }).report()
    deepEqual([report.upstreams?.length, report.omitted], [3, 7])
    deepEqual(report.upstreams?.map(upstream => [upstream.name === dead, upstream.status])[0], [true, 'fail'])
  })

  test('is made anew only so often, however many probes there are', async t => {
    const { client, env, health } = await service(t, { refresh: 500 })
    const first = health.report()
    client.upstream('search').isolate()
    equal(health.report(), first)
    await env.clock.advance(500)
    equal(health.report().status, 'warn')
  })
})
