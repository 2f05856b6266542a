import { deepEqual } from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { createClient, UpstreamError, type Client, type ClientOptions } from '../../src/index.ts'
import {
  garbage, hang, hangUp, json, refuse, reset, retryAfter, slowBody, status, testWorld, unknownHost, type Script,
} from '../../src/testing/index.ts'
import { closing } from '../support/check.ts'
import {
  acceptAndSayNothing, closedPort, fault, garbageStatusLine, raw, reset as resetSocket, startHostile,
} from '../support/hostile.ts'
import { head } from '../support/hostile/wire.ts'
import * as replies from '../support/replies.ts'
import { startServer } from '../support/server.ts'

/*
 * A scripted upstream is worth as much as it is like a real one. The same calls are made on real sockets and in a world:
 * what comes of them must be the same, in every word but the times and the address.
 */

/** An upstream on a socket, for the length of a test. */
type Real = (t: TestContext) => Promise<string>

const served = (handler: replies.Handler): Real => async t => (await closing(t, startServer(handler))).url
const hostile = (...faults: Parameters<typeof startHostile>): Real => async t => (await closing(t, startHostile(...faults))).url

const LONG = 'x'.repeat(2_000)
const CUT = `${head(200, [['content-length', 11]])}${'x'.repeat(10)}`

const SCENES: Record<string, { readonly real: Real; readonly script: Script }> = {
  'a reply': { real: served(replies.json({ total: 7 })), script: json({ total: 7 }) },
  'a reply without a body': { real: served(replies.status(204)), script: status(204) },
  'a redirect': {
    real: served(replies.status(302, { location: '/elsewhere' })), script: status(302, { Location: '/elsewhere' }),
  },
  'a gateway error': { real: served(replies.status(502, {}, 'bad')), script: status(502, {}, 'bad') },
  'a server error': { real: served(replies.status(500)), script: status(500) },
  'not found': { real: served(replies.json({ what: 'gone' }, 404)), script: json({ what: 'gone' }, 404) },
  'a Retry-After': { real: served(replies.status(503, { 'retry-after': '7' })), script: retryAfter(7) },
  'too many requests': { real: served(replies.status(429, { 'retry-after': '7' })), script: retryAfter(7, 429) },
  'nobody listens': { real: async t => (await closing(t, closedPort())).url, script: refuse() },
  'a hang': { real: hostile(acceptAndSayNothing()), script: hang() },
  'a hang in the body': { real: hostile(raw(CUT)), script: hang(10) },
  'a reset': { real: hostile(fault('reset', ({ socket }, fire) => resetSocket(socket, '', fire))), script: reset() },
  'a reset in the body': { real: hostile(raw(CUT, 'reset')), script: reset(10) },
  'a hang-up': { real: hostile(fault('end', ({ socket }, fire) => socket.end(fire))), script: hangUp() },
  'a hang-up in the body': { real: hostile(raw(CUT, 'end')), script: hangUp(10) },
  'garbage': { real: hostile(garbageStatusLine()), script: garbage() },
  'a body in pieces': {
    real: served(replies.stream(['ab', 'cd', 'e'], { 'content-length': 5 })), script: slowBody('abcde', { every: 5, bytes: 2 }),
  },
  'a body that is too long': { real: served(replies.status(200, {}, LONG)), script: status(200, {}, LONG) },
  'a body that turns out too long': {
    real: served(replies.stream(['x'.repeat(600), 'x'.repeat(600)])),
    script: async (_, wire) => {
      await wire.head(200)
      await wire.write('x'.repeat(600))
      await wire.write('x'.repeat(600))
      await wire.end()
    },
  },
}

const OPTIONS: ClientOptions = {
  retry: { limit: 1, backoff: 0, maxBackoff: 0 }, attemptTimeout: 800, deadline: 3_000, maxBodySize: 1_000,
}

/** Fields that a real server adds of its own accord. */
const OWN = ['date', 'connection', 'keep-alive', 'transfer-encoding']

/** All that can be seen of how a call ended, without times, addresses and what real servers say of themselves. */
const seen = async (client: Client, origin: string, streamed: boolean): Promise<unknown> => {
  const timeless = (words: string): string => words.replaceAll(origin, 'it').replaceAll(/[\d.]+ ms/g, '… ms')
  try {
    const reply = streamed ? await client.stream('GET', `${origin}/path?query`, { maxBodySize: 1_000 })
      : await client.get(`${origin}/path?query`)
    const headers = Object.fromEntries(Object.entries(reply.headers).filter(([name]) => !OWN.includes(name)))
    const { status: code, attempts } = reply
    const body = streamed ? await text(reply.body).catch((error: unknown) => told(error, timeless)) : reply.text()
    return { code, headers, attempts, body }
  } catch (error) {
    return told(error, timeless)
  }
}

interface Told {
  readonly kind?: string
  readonly verdict?: string
}

const told = (error: unknown, timeless: (words: string) => string): unknown => {
  if (!(error instanceof UpstreamError)) throw error
  const cause = error.cause as (Error & { code?: string }) | undefined
  return {
    kind: error.name, code: error.code, message: timeless(error.message), sent: error.sent, verdict: error.verdict,
    stopped: error.stopped, attempts: error.attempts, timeline: error.timeline.map(({ event }) => timeless(event)),
    cause: cause === undefined ? undefined : { name: cause.name, code: cause.code },
  }
}

describe('a scripted upstream does to a client what a real one does', () => {
  for (const [name, { real, script }] of Object.entries(SCENES)) {
    for (const streamed of [false, true]) {
      test(`${name}${streamed ? ', streamed' : ''}`, async t => {
        const origin = await real(t)
        const client = await closing(t, createClient(OPTIONS))
        const world = testWorld()
        world.upstream('http://scripted').always(script)
        const scripted = await closing(t, createClient({ ...OPTIONS, ...world.options }))
        const expected = await seen(client, origin, streamed)
        const played = await world.until(seen(scripted, 'http://scripted', streamed))
        // Of a time-out in which this process itself stood still nobody learns anything; in a world it never does.
        const stoodStill = (expected as Told).kind?.endsWith('TimeoutError') === true && (expected as Told).verdict === 'none'
        deepEqual(stoodStill ? { ...played as Told, verdict: 'none' } : played, expected)
        if (!stoodStill) deepEqual(circuitOf(scripted), circuitOf(client))
      })
    }
  }

  test('a name that does not resolve', async t => {
    const world = testWorld()
    world.upstream('http://no.such.host.invalid').always(unknownHost())
    const [client, scripted] = [createClient(OPTIONS), createClient({ ...OPTIONS, ...world.options })]
    t.after(() => client.close())
    const real = await seen(client, 'http://no.such.host.invalid', false)
    const played = await world.until(seen(scripted, 'http://no.such.host.invalid', false))
    // A machine without a resolver says EAI_AGAIN, which says no more.
    deepEqual(played, JSON.parse(JSON.stringify(real).replaceAll('EAI_AGAIN', 'ENOTFOUND')))
  })
})

/** What a client thinks of the only upstream it knows. */
const circuitOf = (client: Client): unknown => client.snapshot().flatMap(({ endpoints, budget }) =>
  endpoints.map(({ circuit, calls, failureRate, inFlight }) => ({ circuit, calls, failureRate, inFlight, budget })))
