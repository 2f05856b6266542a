import { deepEqual, equal, ok } from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ShutdownEvent, ShutdownStep } from '../../src/server/index.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { accepts, end, running, tieToUs } from '../support/child.ts'
import { startServer } from '../support/server.ts'
import { ask } from './ask.ts'
import type { Word } from './service-main.ts'

const MAIN = fileURLToPath(new URL('./service-main.ts', import.meta.url))
const PATIENT = { within: 20_000 }

/** A real service in a process of its own, in front of an upstream in this one. */
const start = async (t: TestContext, times: { readonly grace: number; readonly timeout: number }) => {
  const upstream = await closing(t, startServer())
  const child = fork(MAIN, [upstream.url, String(times.grace), String(times.timeout)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  tieToUs(child)
  t.after(() => end(child))
  const events: ShutdownEvent[] = []
  let port = 0
  child.on('message', (word: Word) => {
    if ('listening' in word) port = word.listening
    else events.push(word)
  })
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  await eventually(() => port > 0, { ...PATIENT, what: 'the service listens' })
  const reached = (step: ShutdownStep): Promise<ShutdownEvent> =>
    eventually(() => events.find(event => event.step === step), {
      ...PATIENT, what: `the service is ${step}`,
    }) as Promise<ShutdownEvent>
  return { child, upstream, port, url: `http://127.0.0.1:${port}`, events, reached, exited: () => inTime(exited, PATIENT) }
}

describe('a service in a process of its own that gets a SIGTERM', () => {
  test('under load loses no request: all it accepts it answers, then it refuses connections, and exits with 0', async t => {
    const it = await start(t, { grace: 2_000, timeout: 20_000 })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 20 })
    t.after(() => agent.destroy())
    let isInRotation = true
    let answered = 0
    const wrong: unknown[] = []
    /** Sends one request after another for as long as the load balancer does. */
    const load = async (): Promise<void> => {
      while (isInRotation) {
        const { status, body } = await ask(it.url, agent)
        if (status === 200 && body === '{"ok":true}') answered++
        else wrong.push([status, body])
      }
    }
    const workers = Array.from({ length: 20 }, () => load().catch((error: unknown) => { wrong.push(error) }))
    const slow = Array.from({ length: 5 }, () => ask(`${it.url}/slow`))
    await eventually(() => answered > 200, PATIENT)

    it.child.kill('SIGTERM')
    await it.reached('draining')
    const before = answered
    // As a load balancer does: two probes that fail, then no more requests.
    for (let failed = 0; failed < 2;) if ((await ask(`${it.url}/readyz`)).status === 503) failed++
    await eventually(() => answered > before + 40, PATIENT)
    isInRotation = false
    await Promise.all(workers)
    deepEqual(wrong, [])

    const { requests } = await it.reached('stopping')
    equal(requests, 5)
    equal(await accepts(it.port), false)
    it.child.send('go on')
    deepEqual((await Promise.all(slow)).map(({ status, connection }) => [status, connection]),
      slow.map(() => [200, 'close']), 'the client of the service still called its upstream')
    equal(await it.exited(), 0)
    deepEqual(it.events.map(({ step }) => step), ['draining', 'stopping', 'closing', 'done'])
  })

  test('does not wait for ever for a request that hangs: it cuts it off, and exits with 1', async t => {
    const it = await start(t, { grace: 50, timeout: 1_000 })
    const hanging = ask(`${it.url}/hang`).catch((error: unknown) => error)
    await eventually(() => it.upstream.hits === 1)
    it.child.kill('SIGTERM')
    equal(await it.exited(), 1)
    equal((await hanging as NodeJS.ErrnoException).code, 'ECONNRESET')
    deepEqual(it.events.map(({ step }) => step), ['draining', 'stopping', 'cut', 'done'])
    const { requests, elapsed } = await it.reached('cut')
    equal(requests, 1)
    ok(elapsed >= 900, `a tenth of the time is left for the cleanup: ${elapsed}`)
  })

  test('ends at once with the second', async t => {
    const it = await start(t, { grace: 60_000, timeout: 120_000 })
    it.child.kill('SIGTERM')
    await it.reached('draining')
    // One that follows at once is taken for an echo: it is sent until it is none.
    await eventually(() => !running(it.child) || !it.child.kill('SIGTERM'), PATIENT)
    equal(await it.exited(), 128 + 15)
  })
})
