import { deepEqual, equal, notDeepEqual, ok, rejects } from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import {
  CircuitOpenError, ConnectionError, createClient, DrainingError, OptionError, StatusError, type Client, type ClientOptions,
} from '../../src/index.ts'
import {
  after, blackHole, flapping, hang, json, loadedDice, NeverSettled, refuse, reset, slowBody, status, testWorld, type Script,
  type ScriptedUpstream, type World,
} from '../../src/testing/index.ts'
import { failure } from '../support/failure.ts'

const HOST = 'http://payments'

/** A world with one upstream, and a client in it. */
const scene = (options: ClientOptions = {}): { world: World; payments: ScriptedUpstream; client: Client } => {
  const world = testWorld()
  return { world, payments: world.upstream(HOST), client: createClient({ ...options, ...world.options }) }
}

const PLAIN: ClientOptions = { retry: false, breaker: false }

describe('a scripted upstream', () => {
  test('is well until it is told otherwise, and does in turn what it is told', async () => {
    const { world, payments, client } = scene({ ...PLAIN, throwOnStatus: false })
    const answer = async (): Promise<number> => (await world.until(client.get(HOST))).status
    equal(await answer(), 200)
    payments.next(status(502), status(404)).next(status(503))
    deepEqual([await answer(), await answer(), await answer(), await answer()], [502, 404, 503, 200])
    payments.always(status(500))
    deepEqual([await answer(), await answer()], [500, 500])
  })

  test('answers a client whose own pool has options of connections, too', async () => {
    const world = testWorld()
    const pool = { connections: 2, tls: { servername: 'payments.internal' }, socketPath: '/run/payments.sock' }
    const client = createClient({ ...world.options, pool: { ...pool, ...world.options.pool } })
    world.upstream(HOST)
    equal((await world.until(client.get(HOST))).status, 200)
    equal(world.upstream(HOST).attempts.length, 1)
  })

  test('remembers what arrived, when, and how it ended', async () => {
    const { world, payments, client } = scene(PLAIN)
    await world.advance(250)
    payments.next(after(30, json({ id: 1 }, 201)))
    const sent = client.post(`${HOST}/orders?from=cart`, { json: { item: 7 }, headers: { 'X-Shop': 'north' } })
    equal((await world.until(sent)).status, 201)
    await rejects(world.until(client.put(HOST, { body: Readable.from(['ab', 'cd']), signal: AbortSignal.abort('gone') })))
    await world.until(client.put(HOST, { body: Readable.from(['ab', 'cd']) }))
    payments.next(refuse())
    await rejects(world.until(client.get(HOST)), ConnectionError)
    const told = payments.attempts.map(({ origin, method, path, at, endedAt, outcome, body }) =>
      [origin, method, path, at, endedAt, outcome, String(body)])
    deepEqual(told, [
      [HOST, 'POST', '/orders?from=cart', 250, 280, 'replied', '{"item":7}'],
      [HOST, 'PUT', '/', 280, 280, 'replied', 'abcd'],
      [HOST, 'GET', '/', 280, 280, 'failed', ''],
    ])
    const { headers } = payments.attempts[0]!
    deepEqual([headers['x-shop'], headers['content-type']], ['north', 'application/json'])
  })

  test('learns that the client has given up, and its script goes no further', async () => {
    const { world, payments, client } = scene(PLAIN)
    const steps: string[] = []
    const script: Script = async (_, wire) => {
      await wire.accept()
      steps.push('accepted')
      await wire.wait(100)
      steps.push('waited')
    }
    payments.always(script)
    const caller = new AbortController()
    const sent = client.get(HOST, { signal: caller.signal }).catch((error: unknown) => error)
    await world.advance(99)
    equal(payments.inFlight, 1)
    caller.abort('enough')
    equal(await world.until(sent), 'enough')
    await world.advance(1_000)
    deepEqual(steps, ['accepted'])
    deepEqual(payments.attempts.map(({ outcome, endedAt }) => [outcome, endedAt]), [['aborted', 99]])
    equal(payments.inFlight, 0)
    equal(world.clock.pending, 0, 'no timer is left')
  })

  test('sends a slow body no faster than it is read', async () => {
    const { world, payments, client } = scene(PLAIN)
    let written = 0
    const piece = Buffer.alloc(16 * 1_024)
    payments.always(async (_, wire) => {
      await wire.head(200)
      for (; written < 100; written++) await wire.write(piece)
      await wire.end()
    })
    const reply = await world.until(client.stream('GET', HOST))
    await world.advance(1_000)
    ok(written < 10, `${written} pieces went out with nobody reading`)
    let read = 0
    await world.until((async () => { for await (const chunk of reply.body) read += (chunk as Buffer).length })())
    equal(read, 100 * piece.length)
  })

  test('comes and goes', async () => {
    const { world, payments, client } = scene(PLAIN)
    payments.always(flapping({ up: 1_000, down: 500, whenDown: status(502) }))
    const seen: boolean[] = []
    for (let i = 0; i < 6; i++) {
      seen.push(await client.get(HOST).then(() => true, () => false))
      await world.advance(500)
    }
    deepEqual(seen, [true, true, false, true, true, false])
  })

  test('can be out of reach', async () => {
    const { world, payments, client } = scene(PLAIN)
    payments.always(blackHole())
    const error = await failure(world.until(client.get(HOST)), ConnectionError)
    deepEqual([error.reason, error.sent, world.now], ['UND_ERR_CONNECT_TIMEOUT', 'never', 2_000])
  })

  test('opens a circuit, is left alone, and is found to be well again', async () => {
    const { world, payments, client } = scene({ retry: false })
    payments.always(refuse())
    for (let i = 0; i < 5; i++) await rejects(world.until(client.get(HOST)), ConnectionError)
    await rejects(world.until(client.get(HOST)), CircuitOpenError)
    equal(payments.attempts.length, 5)
    payments.always(status(200))
    await world.advance(5_000)
    for (let i = 0; i < 5; i++) await world.until(client.get(HOST))
    equal(client.snapshot()[0]?.endpoints[0]?.circuit, 'closed')
  })

  test('is one for all the clients of its world, and finishes when they close', async () => {
    const { world, payments, client } = scene(PLAIN)
    const other = createClient({ ...PLAIN, ...world.options })
    payments.always(after(40, status(200)))
    const sent = client.get(HOST)
    await world.advance(0)
    const closed = client.close()
    await world.until(Promise.all([sent, closed, other.get(HOST)]))
    equal(payments.attempts.length, 2)
    await rejects(client.get(HOST), DrainingError)
  })

  test('fails what is in flight when a client is destroyed', async () => {
    const { world, payments, client } = scene(PLAIN)
    payments.always(hang())
    const sent = failure(client.get(HOST), ConnectionError)
    await world.advance(10)
    await client.destroy()
    equal((await sent).reason, 'UND_ERR_DESTROYED')
    equal(payments.inFlight, 0)
  })

  test('refuses a script that makes no sense', () => {
    const { payments } = scene()
    const nonsense: [run: () => unknown, message: RegExp][] = [
      [() => payments.next(502 as never), /^`script` must be .* got 502$/],
      [() => payments.always(undefined as never), /^`script` must be .* got undefined$/],
      [() => status(20), /^`status` must be .* got 20$/],
      [() => slowBody('x', { every: 1, bytes: 0 }), /^`bytes` must be .* got 0$/],
      [() => slowBody('x', { every: NaN }), /^`every` must be .* got NaN$/],
      [() => reset(-1), /^`bytes` must be .* got -1$/],
      [() => flapping({ up: 0, down: 1 }), /^`up` must be .* got 0$/],
      [() => after(Infinity, hang()), /^`ms` must be .* got Infinity$/],
    ]
    for (const [run, message] of nonsense) {
      let thrown: unknown
      try { run() } catch (error) { thrown = error }
      ok(thrown instanceof OptionError && message.test(thrown.message), String(thrown))
    }
  })
})

describe('a world', () => {
  test('gives the same run for the same seed, and another for another', async () => {
    const run = async (seed: number): Promise<number[]> => {
      const world = testWorld({ seed })
      const payments = world.upstream(HOST).next(status(502), status(502)).always(status(200))
      await world.until(createClient({ ...world.options }).get(HOST))
      return payments.attempts.map(({ at }) => at)
    }
    deepEqual(await run(7), await run(7))
    notDeepEqual(await run(7), await run(8))
  })

  test('knows no other host than those asked for', async () => {
    const { world, client } = scene(PLAIN)
    const error = await failure(world.until(client.get('http://elsewhere')), ConnectionError)
    equal(error.reason, 'ENOTFOUND')
    equal(world.upstream('http://payments/invoices'), world.upstream('http://PAYMENTS:80'))
  })

  test('moves on until a promise settles, and says so when it never will', async () => {
    const { world, payments, client } = scene({ ...PLAIN, deadline: 700 })
    payments.always(after(300, status(404)))
    await rejects(world.until(client.get(HOST)), StatusError)
    equal(world.now, 300)

    const still = testWorld()
    await rejects(still.until(new Promise(() => {})), NeverSettled)
    equal(still.now, 0, 'nothing was left to happen')
    const forEver = (): void => { still.clock.after(60_000, forEver) }
    forEver()
    await rejects(still.until(new Promise(() => {})), NeverSettled)
    equal(still.now, 3_600_000)
  })

  test('refuses what is no origin, and a seed that is no number', () => {
    const world = testWorld()
    for (const url of ['payments', 'ftp://payments', 'payments:80']) {
      let thrown: unknown
      try { world.upstream(url) } catch (error) { thrown = error }
      ok(thrown instanceof OptionError, url)
    }
    let thrown: unknown
    try { testWorld({ seed: 'one' as never }) } catch (error) { thrown = error }
    ok(thrown instanceof OptionError)
  })
})

test('loaded dice fall as they are told', () => {
  const [dice, none] = [loadedDice(0, 0.5), loadedDice()]
  deepEqual([dice(), dice(), dice(), none()], [0, 0.5, 0, 0])
})
