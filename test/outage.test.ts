import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import {
  CircuitOpenError, ConnectionError, createClient, StatusError, UpstreamError, type Client, type EndpointSnapshot,
} from '../src/index.ts'
import type { BreakerOptions } from '../src/options/breaker-options.ts'
import { closing, eventually, inTime } from './support/check.ts'
import { failure } from './support/failure.ts'
import * as hostile from './support/hostile.ts'
import { hold, startServer, status, type TestServer } from './support/server.ts'
import { startUpstreamProcess } from './support/upstream-process.ts'

const SOON: BreakerOptions = { openTime: 80, maxOpenTime: 80, probes: 1, ramp: 0, consecutive: 3 }
const seen = (client: Client): EndpointSnapshot => client.snapshot()[0]!.endpoints[0]!
const isOpen = (client: Client): boolean => client.snapshot()[0]?.endpoints[0]?.circuit === 'open'
const isFine = (call: Promise<unknown>): Promise<boolean> => call.then(() => true, () => false)

test('a crash: calls fail fast after the trip, and succeed again soon after the upstream does', async t => {
  const upstream = await closing(t, startUpstreamProcess())
  const client = await closing(t, createClient())
  const call = (): Promise<boolean> => isFine(client.get(upstream.url))
  const healthy = await Promise.all(Array.from({ length: 200 }, call))
  equal(healthy.filter(Boolean).length, 200)
  const inFlight = upstream.be({ is: 'hung' }).then(() => Promise.all(Array.from({ length: 20 }, call)))
  await eventually(() => client.snapshot()[0]?.limit.inFlight === 20)
  await upstream.crash()
  ok((await inTime(inFlight)).every(fine => !fine), 'calls in flight hear of it at once')
  await eventually(async () => {
    await call()
    return seen(client).circuit === 'open'
  }, { within: 1_000, what: 'the circuit opens' })

  const times: number[] = []
  for (let i = 0; i < 500; i++) {
    const started = performance.now()
    await failure(client.get(upstream.url), UpstreamError)
    times.push(performance.now() - started)
  }
  ok(times.sort((a, b) => a - b)[250]! < 1, `median time to fail: ${times[250]} ms`)

  await upstream.restart()
  const back = performance.now()
  await eventually(call, { within: 3_000, what: 'a call succeeds' })
  await eventually(async () => await call() && seen(client).circuit === 'closed', { within: 3_000, what: 'the circuit closes' })
  t.diagnostic(`calls succeed ${Math.round(performance.now() - back)} ms after the upstream is back`)
})

test('a thousand refusals before a recovery do not delay the next trip', async t => {
  const server = await closing(t, startServer(status(503)))
  const client = await closing(t, createClient({ retry: false, breaker: { ...SOON, probeShare: 0 } }))
  const trip = async (): Promise<number> => {
    const before = server.hits
    while (seen(client).circuit !== 'open') await failure(client.get(server.url), StatusError)
    return server.hits - before
  }
  await failure(client.get(server.url), StatusError)
  const first = await trip() + 1
  for (let i = 0; i < 1_000; i++) await isFine(client.get(server.url))
  server.handle(status(200))
  await eventually(async () => await isFine(client.get(server.url)) && seen(client).circuit === 'closed')
  server.handle(status(503))
  deepEqual([first, await trip()], [3, 3])
})

suite('this process stands still for 2 s with calls in flight', () => {
  const stand = (): void => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000) }
  const begin = async (t: TestContext, ms: number): Promise<{ client: Client; url: string; calls: Promise<unknown>[] }> => {
    const upstream = await closing(t, startUpstreamProcess())
    const client = await closing(t, createClient({
      deadline: 1_500, attemptTimeout: 400, retry: false, breaker: { minimumCalls: 1, consecutive: 1 },
    }))
    await client.get(upstream.url)
    await upstream.be({ is: 'slow', ms })
    const short = { deadline: 300, attemptTimeout: 300 }
    const calls = Array.from({ length: 20 }, (_, i) => client.get(upstream.url, i % 2 ? short : {}))
    for (const call of calls) call.catch(() => undefined)
    await eventually(async () => await upstream.hits() === 21)
    return { client, url: upstream.url, calls }
  }

  test('what has been answered meanwhile is not late', async t => {
    const { client, calls } = await begin(t, 100)
    stand()
    for (const fine of await Promise.all(calls.map(isFine))) equal(fine, true)
    deepEqual([seen(client).circuit, seen(client).failureRate, seen(client).slowCallRate], ['closed', 0, 0])
  })

  test('what has not is late, and trips nothing', async t => {
    const { client, calls } = await begin(t, 20_000)
    stand()
    for (const call of calls) equal((await failure(call, UpstreamError)).verdict, 'none')
    deepEqual([seen(client).circuit, seen(client).calls, seen(client).failureRate], ['closed', 1, 0])
  })

  test('the same without standing still does trip', async t => {
    const { client, url, calls } = await begin(t, 20_000)
    for (const call of calls) await failure(call, UpstreamError)
    await eventually(async () => await failure(client.get(url), UpstreamError) instanceof CircuitOpenError)
  })
})

suite('a probe', () => {
  /** A server that was ill until the circuit opened. */
  const open = async (t: TestContext, breaker: BreakerOptions = {}): Promise<[TestServer, Client]> => {
    const server = await closing(t, startServer(status(503)))
    const client = await closing(t, createClient({ retry: false, breaker: { ...SOON, ...breaker } }))
    for (let i = 0; i < 3; i++) await failure(client.get(server.url), StatusError)
    equal(seen(client).circuit, 'open')
    return [server, client]
  }
  const mayProbe = (client: Client): Promise<boolean> =>
    eventually(() => seen(client).probeIn === undefined, { what: 'a probe may be made' })
  const recovers = (client: Client, url: string): Promise<boolean> =>
    eventually(async () => await isFine(client.get(url)) && seen(client).circuit === 'closed')

  test('that its caller aborts neither closes nor opens, and the next call is one', async t => {
    const [server, client] = await open(t)
    const gate = hold(status(200))
    server.handle(gate.handler)
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController()
      await mayProbe(client)
      const probe = client.get(server.url, { signal: controller.signal })
      await eventually(() => gate.waiting === 1)
      equal(seen(client).circuit, 'half-open')
      equal((await failure(client.get(server.url), CircuitOpenError)).attempts, 0)
      controller.abort(new Error('enough'))
      await rejects(probe, { message: 'enough' })
      deepEqual([seen(client).circuit, seen(client).probeIn], ['open', undefined], 'the probe’s place is free at once')
      await eventually(() => gate.waiting === 0)
    }
    gate.release()
    equal((await client.get(server.url)).status, 200)
    equal(seen(client).circuit, 'closed')
  })

  test('that hangs ends at its time-out, and the circuit is open again', async t => {
    const [server, client] = await open(t, { probeTimeout: 100 })
    server.handle(hold().handler)
    await mayProbe(client)
    const error = await failure(client.get(server.url), UpstreamError)
    deepEqual([error.code, seen(client).circuit], ['ERR_ATTEMPT_TIMEOUT', 'open'])
    server.handle(status(200))
    await recovers(client, server.url)
  })

  const garbage = {
    garbageStatusLine: hostile.garbageStatusLine, statusZero: hostile.statusZero, truncatedChunked: hostile.truncatedChunked,
    resetMidBody: hostile.resetMidBody, truncatedGzip: hostile.truncatedGzip, closeAtAccept: hostile.closeAtAccept,
  }
  for (const [name, make] of Object.entries(garbage)) {
    test(`that gets garbage (${name}) opens the circuit again, and wedges nothing`, async t => {
      const server = await closing(t, hostile.startHostile(hostile.statusSequence([503])))
      const client = await closing(t, createClient({ retry: false, breaker: SOON }))
      for (let i = 0; i < 3; i++) await failure(client.get(server.url), StatusError)
      const fault = make()
      server.handle(fault)
      for (let probes = 1; probes <= 3; probes++) {
        await mayProbe(client)
        // What was kept from before is given up for a fresh connection, on which a fault of connections then acts.
        const error = await failure(client.get(server.url), UpstreamError)
        ok(!(error instanceof CircuitOpenError), error.message)
        if (!(error instanceof ConnectionError && error.blame === 'nobody')) equal(seen(client).circuit, 'open', error.message)
      }
      ok(fault.fired > 0)
      server.handle(hostile.healthy())
      await recovers(client, server.url)
    })
  }
})

suite('a status of 200 is not enough: the circuit opens when', () => {
  const bodies = {
    truncatedChunked: hostile.truncatedChunked, shortContentLength: hostile.shortContentLength,
    resetMidBody: hostile.resetMidBody, slowDripBody: hostile.slowDripBody, truncatedGzip: hostile.truncatedGzip,
  }
  for (const [name, make] of Object.entries(bodies)) {
    for (const how of ['buffered', 'streamed'] as const) {
      test(`its body is bad (${name}, ${how})`, async t => {
        const fault = make()
        const server = await closing(t, hostile.startHostile(fault))
        const breaker = { ...SOON, openTime: 1_000, maxOpenTime: 1_000 }
        const client = await closing(t, createClient({ retry: false, deadline: 100, breaker }))
        const calls = {
          buffered: () => client.get(server.url),
          streamed: () => client.stream('GET', server.url).then(({ body }) => text(body)),
        }
        // Three, unless this process stood still in one of them.
        for (let i = 0; i < 6 && !isOpen(client); i++) await failure(calls[how](), UpstreamError)
        await failure(client.get(server.url), CircuitOpenError)
        ok(fault.fired >= 3)
      })
    }
  }
})
