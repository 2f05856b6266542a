import { deepEqual, equal, ok } from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { Pool } from 'undici'
import { countsOf, type Counts } from '../../bench/counts.ts'
import { NoopTransport } from '../../bench/layers/transport.ts'
import { Child } from '../../bench/process/parent.ts'
import { createClient, type CallOptions, type Client } from '../../src/index.ts'
import { closing } from '../support/check.ts'

/*
 * What a call makes, counted: the same on every machine, whatever else runs on it. The shared clock turns one interval
 * while anything waits, so a run may see a few timers; one per call would be hundreds.
 */

const CALLS = 500
const FEW = 5

/** One call after the other, once everything that is made only once has been made. */
async function counted(call: () => Promise<unknown>): Promise<Counts> {
  const calls = async (): Promise<void> => {
    for (let made = 0; made < CALLS; made++) await call()
  }
  await calls()
  return countsOf(calls)
}

const get = (client: Client, url: string, options: CallOptions = {}): Promise<Counts> =>
  counted(() => client.get(url, options).json())

const noop = (): Client => createClient({ pool: { factory: () => new NoopTransport() } })

describe('what a call makes', () => {
  test('no timer, AbortController or AbortSignal of its own', async t => {
    const client = await closing(t, noop())
    const { timers, controllers, signals, listenersAdded } = await get(client, 'http://service.internal/')
    ok(timers <= FEW, `${timers} timers armed by ${CALLS} calls`)
    deepEqual({ controllers, signals, listenersAdded }, { controllers: 0, signals: 0, listenersAdded: 0 })
  })

  test('the same with an attempt timeout of its own', async t => {
    const client = await closing(t, noop())
    const { timers, controllers, signals } = await get(client, 'http://service.internal/', { attemptTimeout: 500 })
    ok(timers <= FEW, `${timers} timers armed by ${CALLS} calls`)
    deepEqual({ controllers, signals }, { controllers: 0, signals: 0 })
  })

  test('one listener on the caller’s signal, which is taken off again', async t => {
    const client = await closing(t, noop())
    const { signal } = new AbortController()
    const { listenersAdded, listenersRemoved, signals } = await get(client, 'http://service.internal/', { signal })
    deepEqual({ listenersAdded, listenersRemoved, signals }, { listenersAdded: CALLS, listenersRemoved: CALLS, signals: 0 })
    equal(getEventListeners(signal, 'abort').length, 0)
  })

  test('over real sockets no more than bare undici, which arms a timer whenever a connection falls idle', async t => {
    const server = new Child(new URL('../../bench/overhead/server.ts', import.meta.url))
    try {
      const origin = await server.ask<string>('listen')
      const client = await closing(t, createClient())
      const pool = new Pool(origin)
      const bare = await counted(async () => (await pool.request({ method: 'GET', path: '/small' })).body.json())
      await pool.close()
      const began = performance.now()
      const { timers, controllers, signals, listenersAdded, listenersRemoved } = await get(client, `${origin}/small`)
      // The shared clock may stop and start again with each of its ticks of 10 ms.
      const most = bare.timers + FEW + (performance.now() - began) / 10
      ok(timers <= most, `${timers} timers armed by ${CALLS} calls, bare undici arms ${bare.timers}`)
      deepEqual({ controllers, signals, left: listenersAdded - listenersRemoved }, { controllers: 0, signals: 0, left: 0 })
    } finally {
      await server.end()
    }
  })
})

describe('what an idle upstream holds', () => {
  test('no timer when configured', async () => {
    const upstreams = Object.fromEntries(Array.from({ length: CALLS }, (_, index) =>
      [`service-${index}`, { url: `http://service-${index}.internal` }]))
    const { timers } = await countsOf(async () => { createClient({ upstreams }) })
    equal(timers, 0)
  })

  test('no timer when called once', async t => {
    const client = await closing(t, noop())
    await client.get('http://service.internal/')
    const { timers } = await countsOf(async () => {
      for (let index = 0; index < CALLS; index++) await client.get(`http://service-${index}.internal/`)
    })
    ok(timers <= FEW, `${timers} timers armed by ${CALLS} upstreams`)
  })
})

test('the counter counts', async () => {
  const counts = await countsOf(async () => {
    clearTimeout(setTimeout(() => {}, 1))
    clearInterval(setInterval(() => {}, 1))
    const { signal } = new AbortController()
    AbortSignal.any([signal])
    const listener = (): void => {}
    signal.addEventListener('abort', listener)
    signal.removeEventListener('abort', listener)
    await Promise.resolve()
  })
  ok(counts.promises > 0)
  const { timers, controllers, signals, listenersAdded, listenersRemoved } = counts
  deepEqual(
    { timers, controllers, signals, listenersAdded, listenersRemoved },
    { timers: 2, controllers: 1, signals: 1, listenersAdded: 1, listenersRemoved: 1 },
  )
})
