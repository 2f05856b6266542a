import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { suite, test, type TestContext } from 'node:test'
import { systemEnv } from '../../src/clock.ts'
import {
  AttemptTimeoutError, createClient, DeadlineExceededError, LimitExceededError, StatusError, type Client, type Phase,
} from '../../src/index.ts'
import type { ClientOptions } from '../../src/options/client-options.ts'
import { DURING } from '../../src/outcome/upstream-error.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import * as hostile from '../support/hostile.ts'
import { echo, hold, inTurn, startServer, status, tls, type Gate, type TestServer } from '../support/server.ts'
import { assertExact, timed, type Took } from '../support/timing.ts'

const BODY = { body: 'b' }

/** A server that holds its requests, and a client that may have one call in flight, already taken. */
const full = async (t: TestContext, options: ClientOptions = {}): Promise<[TestServer, Client, Gate]> => {
  const gate = hold()
  const server = await closing(t, startServer(gate.handler))
  const client = await closing(t, createClient({ limit: { max: 1 }, retry: false, ...options }))
  const first = client.get(server.url, { deadline: 5_000 })
  t.after(() => { gate.release() })
  first.catch(() => undefined)
  await eventually(() => gate.waiting === 1)
  return [server, client, gate]
}

suite('a deadline is exact to 20 ms, whatever the call waits for', () => {
  const DEADLINE = 120

  const assertDeadline = async (call: () => Promise<unknown>, phase: Phase): Promise<DeadlineExceededError> => {
    let error: DeadlineExceededError | undefined
    const took = await timed(async () => { error = await failure(call(), DeadlineExceededError) })
    assertExact(took, DEADLINE, `a deadline in ${phase}`)
    deepEqual([error?.code, error?.phase, error?.timeout], ['ERR_DEADLINE_EXCEEDED', phase, DEADLINE])
    ok(error!.elapsed >= DEADLINE && error!.timeline.some(({ event }) => event === `deadline exceeded ${DURING[phase]}`))
    return error!
  }

  test('a permit', async t => {
    const [server, client] = await full(t)
    const { sent, attempts } = await assertDeadline(() => client.get(server.url, { deadline: DEADLINE }), 'queue')
    deepEqual([sent, attempts, server.hits, client.snapshot()[0]?.limit.queued], ['never', 0, 1, 0])
  })

  test('a connection', async t => {
    const server = await closing(t, hostile.startHostile(hostile.acceptAndSayNothing()))
    const client = await closing(t, createClient({ deadline: DEADLINE, pool: { tls: { ca: tls.cert } } }))
    const { sent } = await assertDeadline(() => client.post(server.url.replace('http:', 'https:'), BODY), 'connect')
    equal(sent, 'never')
    await eventually(() => server.connections === 0)
  })

  const faults: [string, Phase, () => hostile.Fault][] = [
    ['headers that never come', 'headers', hostile.neverAnswer], ['headers that drip', 'headers', hostile.slowDripHeaders],
    ['interim replies without end', 'headers', () => hostile.interim1xxDrip(40)],
    ['a body that drips', 'body', hostile.slowDripBody],
    ['a body that never ends', 'body', () => hostile.shortContentLength('keep')],
  ]
  for (const [name, phase, make] of faults) {
    test(name, async t => {
      const fault = make()
      const server = await closing(t, hostile.startHostile(fault))
      const client = await closing(t, createClient({ deadline: DEADLINE }))
      const { sent, attempts } = await assertDeadline(() => client.put(server.url, BODY), phase)
      deepEqual([sent, attempts, fault.fired, server.requests], ['maybe', 1, 1, 1])
      await eventually(() => server.connections === 0)
    })
  }

  test('a request body that is slow to come', async t => {
    const server = await closing(t, startServer(echo))
    const client = await closing(t, createClient({ deadline: DEADLINE }))
    let ended = false
    const body = async function* (): AsyncGenerator<string> {
      try {
        yield 'begin'
        await new Promise(() => {})
      } finally {
        ended = true
      }
    }
    const { attempts, verdict } = await assertDeadline(() => client.put(server.url, { body }), 'caller')
    const error = await failure(client.put(server.url, { body, attemptTimeout: 50, retry: false }), AttemptTimeoutError)
    deepEqual([attempts, verdict, error.phase, error.verdict], [1, 'none', 'caller', 'none'])
    equal(client.snapshot()[0]?.endpoints[0]?.calls, 0, 'the upstream is not to blame')
    await eventually(() => server.connections === 0)
    equal(ended, false, 'what a caller awaits is the caller’s')
  })

  test('a back-off, of which the remainder is not even begun', async t => {
    const server = await closing(t, startServer(status(503)))
    const env = { clock: systemEnv.clock, random: () => 0.999 }
    const client = await closing(t, createClient({ env, breaker: false, retry: { backoff: 10_000 } }))
    const took = await timed(async () => {
      const error = await failure(client.get(server.url, { deadline: DEADLINE }), StatusError)
      deepEqual([error.status, error.stopped, error.attempts], [503, 'deadline', 1])
    })
    ok(took.ms < DEADLINE, 'a wait that cannot fit is not waited')
    const slow = hold(status(503))
    server.handle(inTurn(status(503), slow.handler))
    const spread = createClient({ env, breaker: false, retry: { backoff: 40 } })
    await closing(t, spread)
    const error = await failure(spread.get(server.url, { deadline: 400 }), DeadlineExceededError)
    deepEqual([error.attempts, error.sent, error.phase, error.elapsed >= 400], [2, 'maybe', 'headers', true])
  })

  test('and so for many at once, begun at any moment', async t => {
    const server = await closing(t, startServer(hold().handler))
    const client = await closing(t, createClient({ retry: false, breaker: false, limit: false }))
    const all: Promise<[number, Took]>[] = []
    for (let i = 0; i < 60; i++) {
      const ms = 60 + i * 3.3
      const call = (): Promise<unknown> => failure(client.get(server.url, { deadline: ms }), DeadlineExceededError)
      all.push(timed(call).then(took => [ms, took]))
      await new Promise(resolve => { setImmediate(resolve) })
    }
    for (const [ms, took] of await Promise.all(all)) assertExact(took, ms)
  })
})

suite('an attempt has a limit of its own', () => {
  test('after which it is tried again, within the deadline', async t => {
    const server = await closing(t, startServer(inTurn(hold().handler, status(200))))
    const client = await closing(t, createClient({ attemptTimeout: 100, deadline: 2_000, retry: { backoff: 0 } }))
    const took = await timed(async () => {
      const reply = await client.get(server.url)
      deepEqual([reply.status, reply.attempts], [200, 2])
    })
    ok(took.ms >= 100 && took.ms < 1_000, `${took.ms}`)
    await eventually(() => server.connections === 1, { what: 'the connection of the first attempt is closed' })
  })

  test('which is exact, and says what it waited for', async t => {
    const cases: [hostile.Fault, Phase][] = [[hostile.neverAnswer(), 'headers'], [hostile.slowDripBody(), 'body']]
    for (const [fault, phase] of cases) {
      const server = await closing(t, hostile.startHostile(fault))
      const client = await closing(t, createClient({ deadline: 5_000, retry: { limit: 1, backoff: 0 } }))
      const took = await timed(async () => {
        const error = await failure(client.get(server.url, { attemptTimeout: 90 }), AttemptTimeoutError)
        deepEqual([error.code, error.phase, error.timeout], ['ERR_ATTEMPT_TIMEOUT', phase, 90])
        deepEqual([error.attempts, error.stopped, error.sent], [2, 'limit', 'maybe'])
      })
      ok(took.ms >= 180 && took.ms <= 180 + 2 * 20 + took.stood, `${took.ms} ms for two`)
      equal(fault.fired, 2)
    }
  })

  test('and for a POST, which may have been processed, is the end', async t => {
    const server = await closing(t, startServer(hold().handler))
    const client = await closing(t, createClient({ attemptTimeout: 50 }))
    const { stopped, attempts } = await failure(client.post(server.url), AttemptTimeoutError)
    deepEqual([stopped, attempts, server.hits], ['not repeatable', 1, 1])
  })
})

suite('the queue', () => {
  test('is left within 5 ms of an abort, and the place is free', async t => {
    const [server, client, gate] = await full(t, { limit: { max: 1, queue: 1 } })
    const late: number[] = []
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController()
      const queued = client.get(server.url, { signal: controller.signal })
      equal(client.snapshot()[0]?.limit.queued, 1)
      await failure(client.get(server.url), LimitExceededError)
      const reason = new Error('enough')
      const aborted = performance.now()
      controller.abort(reason)
      await rejects(queued, (error: unknown) => error === reason)
      late.push(performance.now() - aborted)
      equal(client.snapshot()[0]?.limit.queued, 0)
    }
    ok(Math.min(...late) < 5 && late.sort((a, b) => a - b)[2]! < 5, late.join())
    gate.release()
    await eventually(() => client.snapshot()[0]?.active === 0)
    equal(server.hits, 1)
  })

  test('has a time-out of its own, exact too', async t => {
    const [server, client] = await full(t, { limit: { max: 1, queueTimeout: 80 } })
    const took = await timed(async () => {
      const error = await failure(client.get(server.url), LimitExceededError)
      deepEqual([error.kind, error.limit, error.sent], ['queue timeout', 80, 'never'])
    })
    assertExact(took, 80)
  })
})

test('what remains of the deadline is what the upstream is told, at each attempt', async t => {
  const told: number[] = []
  const note = (code: number): Parameters<typeof inTurn>[0] => (request, response) => {
    told.push(Number(request.headers['x-left']))
    return status(code)(request, response)
  }
  const server = await closing(t, startServer(inTurn(note(503), note(503), note(200))))
  const env = { clock: systemEnv.clock, random: () => 0.5 }
  const client = await closing(t, createClient({ env, deadline: 1_000, deadlineHeader: 'x-left', retry: { backoff: 100 } }))
  equal((await client.get(server.url)).attempts, 3)
  const [first = 0, second = 0, third = 0] = told
  ok(first <= 1_000 && first > 800 && second <= first - 50 && third <= second - 100 && third > 0, told.join())
})
