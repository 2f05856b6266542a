import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { systemEnv } from '../../src/clock.ts'
import { ConnectionError, createClient, DrainingError, StatusError, UpstreamError } from '../../src/index.ts'
import { closing, eventually, inTime, leaks } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { failure } from '../support/failure.ts'
import { retryAfter, startHostile } from '../support/hostile.ts'
import { byPath, hold, startServer, status, stream, tls } from '../support/server.ts'

test('close() finishes calls in flight and in the queue, refuses new ones, and closes all sockets', async t => {
  const watch = leaks()
  const gate = hold()
  const servers = [await startServer(gate.handler), await startServer(gate.handler)] as const
  const client = createClient({ limit: { max: 1 }, upstreams: { named: { url: servers[0].url } } })
  const calls = servers.flatMap(({ url }) => [client.get(`${url}/1`), client.get(`${url}/2`)])
  await eventually(() => gate.waiting === 2)
  const ended: string[] = []
  const close = client.close().then(() => ended.push('closed'))
  equal(client.close(), client.close(), 'once is enough')
  for (const refused of [client.get(servers[0].url), client.upstream('named').get('/'), client.get('http://127.0.0.1:1/')]) {
    const error = await failure(refused, DrainingError)
    deepEqual([error.code, error.sent, error.attempts], ['ERR_DRAINING', 'never', 0])
  }
  deepEqual([ended, client.snapshot().map(({ draining }) => draining)], [[], [true]])
  gate.release()
  for (const reply of await Promise.all(calls)) equal(reply.status, 200)
  await inTime(close)
  deepEqual(servers.map(({ hits }) => hits), [2, 2])
  await eventually(() => servers.every(({ connections }) => connections === 0))
  for (const server of servers) await server.close()
  await watch.assertNone()
  t.diagnostic('no handle is left')
})

test('close() lets a call come back from its back-off, and one that hangs meet its deadline', async t => {
  const watch = leaks()
  const bad = hold(status(503))
  const server = await closing(t, startServer(byPath({ '/hung': hold().handler, '/back': bad.handler })))
  const client = createClient({ retry: { backoff: 100, limit: 1 }, env: { clock: systemEnv.clock, random: () => 0.9 } })
  const hung = client.get(`${server.url}/hung`, { deadline: 300 })
  const back = client.get(`${server.url}/back`)
  await eventually(() => bad.waiting === 1)
  bad.release(1)
  await eventually(() => server.hits === 2 && bad.waiting === 0)
  const close = client.close()
  await eventually(() => bad.waiting === 1)
  bad.release()
  equal((await failure(back, StatusError)).attempts, 2)
  equal((await failure(hung, UpstreamError)).code, 'ERR_DEADLINE_EXCEEDED')
  await inTime(close)
  await server.close()
  await watch.assertNone()
})

test('close() waits for a stream to be read', async t => {
  const server = await closing(t, startServer(stream(Array<string>(100).fill('x'.repeat(100_000)))))
  const client = createClient()
  const { body } = await client.stream('GET', server.url)
  const close = client.close()
  let size = 0
  for await (const chunk of body) size += (chunk as Buffer).length
  equal(size, 10_000_000)
  await inTime(close)
  await eventually(() => server.connections === 0)
})

test('await using: asyncDispose is close()', async t => {
  const server = await closing(t, startServer())
  const client = createClient()
  await client.get(server.url)
  await client[Symbol.asyncDispose]()
  await failure(client.get(server.url), DrainingError)
  await eventually(() => server.connections === 0)
})

test('destroy() ends what is in flight, queued or backing off, at once and honestly', async t => {
  const watch = leaks()
  const gate = hold()
  const server = await closing(t, startServer(gate.handler))
  const busy = await closing(t, startHostile(retryAfter(5)))
  const client = createClient({ limit: { max: 2 }, breaker: { maxHold: 0 } })
  const failures = [failure(client.get(server.url), ConnectionError), failure(client.post(server.url), ConnectionError)]
  const refused = failure(client.get(server.url), DrainingError)
  const last = failure(client.get(busy.url), StatusError)
  await eventually(() => gate.waiting === 2 && busy.requests === 1)
  await eventually(() => client.explain(busy.url).snapshot?.limit.inFlight === 0)
  const started = performance.now()
  await inTime(client.destroy())
  for (const { sent, attempts, stopped, blame } of await Promise.all(failures)) {
    deepEqual([sent, attempts, stopped, blame], ['maybe', 1, 'draining', 'process'])
  }
  equal((await refused).sent, 'never')
  deepEqual([(await last).status, (await last).stopped], [503, 'draining'])
  ok(performance.now() - started < 500, 'at once')
  await failure(client.get(server.url), DrainingError)
  await eventually(() => server.connections + busy.connections === 0)
  await inTime(Promise.all([client.close(), client.destroy(), client.close()]))
  await server.close()
  await busy.close()
  await watch.assertNone()
})

test('destroy() cuts short a close() that takes too long', async t => {
  const server = await closing(t, startServer(hold().handler))
  const client = createClient({ deadline: 60_000, upstreams: { named: { url: 'http://127.0.0.1:9' } } })
  const call = failure(client.get(server.url), ConnectionError)
  await eventually(() => server.hits === 1)
  const close = client.close()
  await inTime(client.destroy())
  equal((await call).stopped, 'draining')
  await inTime(close)
  await eventually(() => server.connections === 0)
})

test('a client that has done nothing closes at once', async () => {
  const watch = leaks()
  for (const end of ['close', 'destroy'] as const) await inTime(createClient({ upstreams: { a: { url: 'http://a' } } })[end]())
  await watch.assertNone()
})

test('a client that is closed or destroyed leaves no timer that would keep it in memory, and no upstream', async t => {
  const server = await closing(t, startServer())
  for (const end of ['close', 'destroy'] as const) {
    const env = testEnv()
    const client = createClient({ env })
    await client.get(server.url)
    equal(env.clock.background, 1)
    await inTime(client[end]())
    deepEqual([env.clock.background, env.clock.pending, client.snapshot()], [0, 0, []])
  }
})

const SOURCE = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
const programs: Record<string, string> = {
  'closes its client': 'await client.close()',
  'destroys its client': 'await client.destroy()',
  'closes its client while a call is in its back-off': `
    const failing = client.get(url + '/503').catch(error => error.status)
    await new Promise(resolve => subscribe('breakwater:retry', resolve))
    await client.close()
    if (await failing !== 503) throw new Error('it was cut short')`,
  'has no call in flight, and forgets to close': `
    for (const { resolve } of []) resolve()`,
}
for (const [what, ending] of Object.entries(programs)) {
  test(`a process that ${what} ends by itself`, async t => {
    const server = await closing(t, startServer({
      protocol: 'https', keepAliveTimeout: 300, handler: byPath({ '/': status(200), '/503': status(503) }),
    }))
    const program = `
      import { subscribe } from 'node:diagnostics_channel'
      import { createClient } from ${JSON.stringify(SOURCE)}
      const url = ${JSON.stringify(server.url)}
      const client = createClient({ retry: { limit: 1 }, pool: { idleTimeout: 300, tls: { ca: ${JSON.stringify(tls.cert)} } } })
      await Promise.all(Array.from({ length: 20 }, () => client.get(url)))
      const { body } = await client.stream('GET', url)
      await body.toArray()
      ${ending}
      console.log('done')`
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', program]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => void child.kill('SIGKILL'))
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => { printed += chunk.toString() })
    const [code] = await inTime(once(child, 'exit'), { within: 8_000, what: 'the process ends' }) as [number | null]
    deepEqual([code, printed], [0, 'done\n'])
    equal(server.connections, 0)
  })
}
