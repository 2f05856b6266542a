import './support/source.ts'
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import type { Server } from 'node:http'
import path from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import { CircuitOpenError, createClient, type Client } from '../src/index.ts'
import { closing, eventually } from './support/check.ts'
import { failure } from './support/failure.ts'
import { echo, inTurn, json, listen, startServer, status, type Echo, type Handler, type TestServer } from './support/server.ts'
import { startUpstreamProcess } from './support/upstream-process.ts'
import { read, ROOT } from './surface/approved.ts'

const { fetch } = globalThis

const reset: Handler = request => { request.socket.resetAndDestroy() }
const invoice = json({ total: 42 })

/** What a service under test answers. */
interface Answer { status: number; retryAfter: number | undefined; body: unknown }

const ask = async (url: string, init?: RequestInit): Promise<Answer> => {
  const response = await fetch(url, init)
  const after = response.headers.get('retry-after')
  return { status: response.status, retryAfter: after === null ? undefined : Number(after), body: await response.json() }
}

/** Starts a service, and stops it when the test ends. */
const serve = async (t: TestContext, server: Server): Promise<string> => {
  const port = await listen(server)
  t.after(() => new Promise(resolve => { server.close(resolve) }))
  return `http://127.0.0.1:${port}`
}

interface Listening { listen(where: { port: number }): Promise<string>; close(): PromiseLike<unknown> }

const serveApp = async (t: TestContext, app: Listening): Promise<string> => {
  t.after(async () => { await app.close() })
  return app.listen({ port: 0 })
}

/** The upstream resets every connection: the first call says so, the next is refused here, with a time to come back. */
const isProtected = async (upstream: TestServer, call: () => Promise<Answer>): Promise<void> => {
  upstream.handle(reset)
  equal((await call()).status, 502)
  const { hits } = upstream
  const { status, retryAfter } = await call()
  deepEqual({ status, reached: upstream.hits - hits }, { status: 503, reached: 0 })
  ok(retryAfter !== undefined && retryAfter >= 1, `Retry-After: ${String(retryAfter)}`)
}

/** The upstream resets every connection: calls fail until the circuit is open, and then do not reach it. */
const isRefused = async (upstream: TestServer, call: () => Promise<unknown>): Promise<void> => {
  upstream.handle(reset)
  await failure(call(), Error)
  const { hits } = upstream
  const { cause } = await failure(call(), Error)
  ok(cause instanceof CircuitOpenError, String(cause))
  equal(upstream.hits, hits)
}

test('every example stands in examples/README.md', () => {
  const files = readdirSync(path.join(ROOT, 'examples')).filter(name => name.endsWith('.ts'))
  const shown = read('examples/README.md')
  ok(files.length >= 8)
  deepEqual(files.filter(name => !shown.includes(name)), [])
})

suite('examples/upstream.ts', async () => {
  const { upstream } = await import('../examples/upstream.ts')

  test('fails and recovers on request', async t => {
    const url = await serve(t, upstream())
    deepEqual((await ask(`${url}/invoices/7`)).body, { total: 42 })
    await fetch(`${url}/fail`, { method: 'POST' })
    await failure(ask(`${url}/invoices/7`), TypeError)
    await fetch(`${url}/recover`, { method: 'POST' })
    equal((await ask(`${url}/invoices/7`)).status, 200)
  })
})

suite('examples/service.ts', async () => {
  const { build } = await import('../examples/service.ts')

  test('shows the picks, and bestsellers while the recommender is dead', async t => {
    const recommender = await closing(t, startUpstreamProcess())
    const url = await serve(t, build(recommender.url))
    ok('pid' in ((await ask(url)).body as object))
    await recommender.kill()
    deepEqual(await ask(url), { status: 200, retryAfter: undefined, body: ['bestsellers'] })
  })
})

suite('examples/express-service.ts', async () => {
  const { build } = await import('../examples/express-service.ts')

  test('answers by a retry when a connection breaks', async t => {
    const payments = await closing(t, startServer(inTurn(reset, invoice)))
    const url = await serve(t, build(payments.url))
    deepEqual((await ask(`${url}/invoices/7`)).body, { id: '7', total: 42 })
    equal(payments.hitsOf('/invoices/7'), 2)
  })

  test('says 502, then refuses with 503 and Retry-After, in an outage', async t => {
    const payments = await closing(t, startServer(invoice))
    const url = await serve(t, build(payments.url))
    equal((await ask(`${url}/invoices/7`)).status, 200)
    await isProtected(payments, () => ask(`${url}/invoices/7`))
  })
})

suite('examples/express-gateway.ts', async () => {
  const { build } = await import('../examples/express-gateway.ts')

  test('hands on path, query and body', async t => {
    const payments = await closing(t, startServer(echo))
    const url = await serve(t, build(payments.url, 'http://search.internal'))
    const seen = (await ask(`${url}/payments/orders?year=2026`, { method: 'POST', body: 'two boats' })).body as Echo
    deepEqual([seen.method, seen.url, seen.body], ['POST', '/orders?year=2026', 'two boats'])
  })

  test('says 502, then refuses with 503 and Retry-After, in an outage of payments; search is served', async t => {
    const [payments, search] = [await closing(t, startServer(invoice)), await closing(t, startServer(json(['a boat'])))]
    const url = await serve(t, build(payments.url, search.url))
    equal((await ask(`${url}/payments/invoices/7`)).status, 200)
    await isProtected(payments, () => ask(`${url}/payments/invoices/7`))
    deepEqual((await ask(`${url}/search/boats`)).body, ['a boat'])
  })
})

suite('examples/fastify-reply-from.ts', async () => {
  const { build } = await import('../examples/fastify-reply-from.ts')

  test('hands on path, query, fields and body', async t => {
    const payments = await closing(t, startServer(echo))
    const url = await serveApp(t, build(payments.url))
    const { body } = await ask(`${url}/orders?year=2026`, {
      method: 'POST', body: '{"item":7}', headers: { 'content-type': 'application/json', 'x-tenant': 'a' },
    })
    const seen = body as Echo
    deepEqual([seen.method, seen.url, seen.body, seen.headers['x-tenant']], ['POST', '/orders?year=2026', '{"item":7}', 'a'])
  })

  test('answers by a retry when a connection breaks', async t => {
    const payments = await closing(t, startServer(inTurn(reset, invoice)))
    const url = await serveApp(t, build(payments.url))
    deepEqual((await ask(`${url}/invoices/7`)).body, { total: 42 })
    equal(payments.hits, 2)
  })

  test('says 502, then refuses with 503 and Retry-After, in an outage', async t => {
    const payments = await closing(t, startServer(invoice))
    const url = await serveApp(t, build(payments.url))
    equal((await ask(`${url}/invoices/7`)).status, 200)
    await isProtected(payments, () => ask(`${url}/invoices/7`))
  })

  test('sends what met a 503 no more often than the client would', async t => {
    const payments = await closing(t, startServer(json({ error: 'later' }, 503)))
    const url = await serveApp(t, build(payments.url))
    deepEqual(await ask(`${url}/invoices/7`), { status: 503, retryAfter: undefined, body: { error: 'later' } })
    const client = await closing(t, createClient({ throwOnStatus: false }))
    const { hits } = payments
    const { attempts } = await client.get(`${payments.url}/invoices/7`)
    equal(hits, attempts)
  })
})

suite('examples/fastify-http-proxy.ts', async () => {
  const { build } = await import('../examples/fastify-http-proxy.ts')

  test('answers by a retry when a connection breaks', async t => {
    const payments = await closing(t, startServer(inTurn(reset, invoice)))
    const url = await serveApp(t, build(payments.url, 'http://search.internal'))
    deepEqual((await ask(`${url}/payments/invoices/7`)).body, { total: 42 })
    equal(payments.hitsOf('/invoices/7'), 2)
  })

  test('serves search while it refuses what payments can’t answer, and serves payments again when it is back', async t => {
    const payments = await closing(t, startUpstreamProcess())
    const search = await closing(t, startServer(json(['a boat'])))
    const url = await serveApp(t, build(payments.url, search.url))
    await payments.kill()
    equal((await ask(`${url}/payments/invoices/7`)).status, 502)
    const { status, retryAfter } = await ask(`${url}/payments/invoices/7`)
    deepEqual([status, retryAfter], [503, 1])
    deepEqual((await ask(`${url}/search/boats`)).body, ['a boat'])
    await payments.restart()
    await eventually(async () => (await ask(`${url}/payments/invoices/7`)).status === 200, { within: 5_000, what: 'payments answers' })
  })

  test('says 502, then refuses with 503 and Retry-After, in an outage', async t => {
    const payments = await closing(t, startServer(invoice))
    const url = await serveApp(t, build(payments.url, 'http://search.internal'))
    equal((await ask(`${url}/payments/invoices/7`)).status, 200)
    await isProtected(payments, () => ask(`${url}/payments/invoices/7`))
  })
})

suite('examples/openapi-fetch.ts', async () => {
  const { paymentsApi } = await import('../examples/openapi-fetch.ts')
  const where = { params: { path: { id: '7' } } }

  test('answers by a retry when a connection breaks, and is refused while the circuit is open', async t => {
    const payments = await closing(t, startServer(inTurn(reset, invoice)))
    const client = await closing(t, createClient())
    const api = paymentsApi(client, payments.url)
    equal((await api.GET('/invoices/{id}', where)).data?.total, 42)
    equal(payments.hitsOf('/invoices/7'), 2)
    await isRefused(payments, () => api.GET('/invoices/{id}', where))
  })
})

suite('examples/got.ts', async () => {
  const { gotOver } = await import('../examples/got.ts')
  const start = async (t: TestContext, handler: Handler): Promise<[TestServer, Client]> =>
    [await closing(t, startServer(handler)), await closing(t, createClient())]

  test('sends fields and body, and reads JSON', async t => {
    const [{ url }, client] = await start(t, echo)
    const seen = await gotOver(client).post(`${url}/orders`, { json: { item: 7 }, searchParams: { a: 1 }, headers: { 'x-tenant': 'a' } })
      .json<Echo>()
    deepEqual([seen.method, seen.url, seen.body, seen.headers['x-tenant']], ['POST', '/orders?a=1', '{"item":7}', 'a'])
  })

  test('answers by a retry when a connection breaks, and is refused while the circuit is open', async t => {
    const [payments, client] = await start(t, inTurn(reset, invoice))
    deepEqual(await gotOver(client)(`${payments.url}/invoices/7`).json(), { total: 42 })
    equal(payments.hits, 2)
    await isRefused(payments, () => gotOver(client)(`${payments.url}/invoices/7`))
  })

  test('streams, and refuses an upload that would come too late', async t => {
    const [server, client] = await start(t, echo)
    const over = gotOver(client)
    const stream = over.stream.put(server.url, { body: Readable.from(['a', 'b']) })
    equal((JSON.parse(await text(stream)) as Echo).body, 'ab')
    const late = over.stream.post(server.url)
    late.end('lost')
    match((await failure(text(late), Error)).message, /give the body as an option/)
    equal(server.hits, 1)
  })

  test('leaves statuses and redirects to got', async t => {
    const [{ url }, client] = await start(t, (request, response) => {
      if (request.url === '/old') return status(302, { location: '/new' })(request, response)
      return request.url === '/new' ? invoice(request, response) : json({ error: 'none' }, 404)(request, response)
    })
    deepEqual(await gotOver(client)(`${url}/old`).json(), { total: 42 })
    const error = await failure(gotOver(client)(`${url}/none`), Error)
    match(error.message, /404/)
    deepEqual(await gotOver(client)(`${url}/none`, { throwHttpErrors: false }).json(), { error: 'none' })
  })
})

suite('examples/next-instrumentation.ts', async () => {
  const { register } = await import('../examples/next-instrumentation.ts')

  /** As Next does it: a cache of 200s around the fetch that is there, which gets the options and more of Next's own. */
  const layCacheAroundFetch = (): void => {
    const [original, kept] = [globalThis.fetch, new Map<unknown, Response>()]
    globalThis.fetch = async (input, init?: RequestInit & { next?: object }) => {
      const hit = kept.get(input)
      if (hit !== undefined) return hit.clone()
      const options: object = { ...init, next: { ...init?.next, fetchType: 'origin', fetchIdx: 1 } }
      const response = await original(input, options)
      if (response.status === 200 && init?.next !== undefined) kept.set(input, response.clone())
      return response
    }
  }

  const start = async (t: TestContext, handler: Handler): Promise<TestServer> => {
    const { NEXT_RUNTIME } = process.env
    t.after(() => {
      globalThis.fetch = fetch
      if (NEXT_RUNTIME === undefined) delete process.env['NEXT_RUNTIME']
    })
    process.env['NEXT_RUNTIME'] = 'nodejs'
    const stock = await closing(t, startServer(handler))
    await register()
    layCacheAroundFetch()
    return stock
  }
  // Fields that Next adds to the type.
  const kept: object = { next: { revalidate: 60, tags: ['stock'] }, cache: 'force-cache' }
  const fresh: object = { cache: 'no-store' }

  test('leaves to Next’s cache what it has, and saves by a retry what it lacks', async t => {
    const stock = await start(t, inTurn(reset, invoice))
    for (const _ of [1, 2]) deepEqual(await (await globalThis.fetch(`${stock.url}/7`, kept)).json(), { total: 42 })
    equal(stock.hits, 2)
  })

  test('refuses what the cache lacks while the circuit is open', async t => {
    const stock = await start(t, invoice)
    equal((await globalThis.fetch(`${stock.url}/7`, kept)).status, 200)
    await isRefused(stock, () => globalThis.fetch(`${stock.url}/8`, fresh))
    equal((await globalThis.fetch(`${stock.url}/7`, kept)).status, 200)
  })

  test('keeps away from the edge runtime', async t => {
    t.after(() => { delete process.env['NEXT_RUNTIME'] })
    process.env['NEXT_RUNTIME'] = 'edge'
    await register()
    equal(globalThis.fetch, fetch)
  })
})
