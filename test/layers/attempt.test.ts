import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Endpoint } from '../../src/upstream/endpoints/endpoint.ts'
import { AttemptTimeoutError } from '../../src/outcome/errors.ts'
import { channels, type AttemptEvent } from '../../src/events.ts'
import { attempt } from '../../src/layers/attempt.ts'
import type { Send } from '../../src/call/layer.ts'
import type { Reply } from '../../src/outcome/reply.ts'
import { callAt, endpointOf, interruptible, outcome, refused, replyOf, streaming, type CallSetup } from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { scripted } from '../support/scripted.ts'

const setup = () => {
  const env = testEnv()
  const inner = scripted()
  const endpoint: Endpoint = endpointOf(env, inner.send)
  const layer = attempt(env)(interruptible(inner.send))
  const send: Send = call => {
    call.endpoint = endpoint
    return layer(call)
  }
  /** One attempt that is answered after so many ms. */
  const answered = async (reply: Reply, ms = 0, call: CallSetup = {}): Promise<Reply> => {
    const sent = send(callAt(env, call))
    const received = await inner.next()
    await env.clock.advance(ms)
    received.reply(reply)
    return sent
  }
  return { env, inner, endpoint, send, answered }
}

const short = { options: { deadline: 10_000, attemptTimeout: 300 } }

suite('an attempt', () => {
  test('is counted, and in flight until it ends', async () => {
    const { env, inner, endpoint, send } = setup()
    const call = callAt(env)
    const sent = send(call)
    deepEqual([call.trace.attempts, endpoint.inFlight], [1, 1])
    ;(await inner.next()).reply(replyOf())
    equal((await sent).attempts, 1)
    equal(endpoint.inFlight, 0)
    const failed = outcome(send(call))
    const received = await inner.next()
    equal(endpoint.inFlight, 1)
    received.fail(refused(call))
    await settle()
    deepEqual([call.trace.attempts, endpoint.inFlight, failed.settled], [2, 0, 1])
  })

  test('is in flight until its streamed body ends', async () => {
    const { inner, env, endpoint, send } = setup()
    const sent = send(callAt(env, { streamed: true }))
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    equal(endpoint.inFlight, 1)
    end()
    equal(endpoint.inFlight, 0)
  })

  test('is not made for a call that has been ended', async () => {
    const { env, inner, endpoint, send } = setup()
    const call = callAt(env)
    call.cancel('gone')
    const seen = outcome(send(call))
    await settle()
    deepEqual([seen.error, inner.calls, call.trace.attempts, endpoint.inFlight], ['gone', 0, 0, 0])
  })

  test('ends at its own time limit, and what comes later is nothing', async () => {
    const { env, inner, endpoint, send } = setup()
    const seen = outcome(send(callAt(env, short)))
    const received = await inner.next()
    received.call.wasOnWire = true
    await env.clock.advance(299)
    equal(seen.settled, 0)
    await env.clock.advance(1)
    ok(seen.error instanceof AttemptTimeoutError)
    deepEqual([seen.error.timeout, seen.error.phase, seen.error.verdict, seen.error.sent], [300, 'headers', 'gateway', 'maybe'])
    deepEqual([endpoint.inFlight, env.clock.pending], [0, 0])
    received.reply(replyOf())
    await settle()
    equal(seen.settled, 1)
  })

  test('that timed out while it connected was never sent, unless an attempt before it had a connection', async () => {
    for (const [attempts, wasOnWire, sent] of [[0, false, 'never'], [1, false, 'never'], [1, true, 'maybe']] as const) {
      const { env, inner, send } = setup()
      const call = callAt(env, short)
      call.trace.attempts = attempts
      call.wasOnWire = wasOnWire
      const seen = outcome(send(call))
      await inner.next()
      call.phase = 'connect'
      await env.clock.advance(300)
      ok(seen.error instanceof AttemptTimeoutError)
      equal(seen.error.sent, sent)
    }
  })

  test('that had less time than usual, or ran into our own standstill, proves nothing', async () => {
    const slow = setup()
    slow.endpoint.latency.record(301)
    const hurried = outcome(slow.send(callAt(slow.env, short)))
    await slow.inner.next()
    await slow.env.clock.advance(300)
    ok(hurried.error instanceof AttemptTimeoutError)
    equal(hurried.error.verdict, 'none')

    const blocked = setup()
    const seen = outcome(blocked.send(callAt(blocked.env, short)))
    await blocked.inner.next()
    await blocked.env.clock.stall(2_000)
    ok(seen.error instanceof AttemptTimeoutError)
    equal(seen.error.verdict, 'none')
  })

  test('arms no timer of its own when it may take all that is left', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env)
    void outcome(send(call))
    equal(env.clock.pending, 0)
    ;(await inner.next()).fail(refused(call))
    void outcome(send(callAt(env, short)))
    equal(env.clock.pending, 1)
  })

  test('of a streamed reply has met its limit when the headers are there', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env, { ...short, streamed: true })
    const sent = send(call)
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    equal(env.clock.pending, 0)
    let how: unknown = 'not ended'
    reply.whenEnded(error => { how = error })
    await env.clock.advance(5_000)
    equal(how, 'not ended')
    end()
    equal(how, undefined)
  })

  test('as a probe may take the probe\'s time, and the next attempt of its call the usual time again', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env, { options: { attemptTimeout: 300, breaker: { probeTimeout: 100 } } })
    call.admission = -2
    const probe = outcome(send(call))
    await inner.next()
    await env.clock.advance(100)
    ok(probe.error instanceof AttemptTimeoutError)
    equal(probe.error.timeout, 100)
    call.admission = 3
    call.at = env.clock.now()
    const next = outcome(send(call))
    await inner.next()
    await env.clock.advance(299)
    equal(next.settled, 0)
    await env.clock.advance(1)
    ok(next.error instanceof AttemptTimeoutError)
    equal(next.error.timeout, 300)
  })
})

suite('an attempt\'s reply', () => {
  test('is judged by its status', async () => {
    const verdicts = { 200: 'healthy', 404: 'healthy', 429: 'throttled', 500: 'unhealthy', 503: 'gateway' }
    for (const [status, verdict] of Object.entries(verdicts)) {
      const { answered } = setup()
      equal((await answered(replyOf(Number(status)))).verdict, verdict, status)
    }
  })

  test('has its Retry-After read, where it means something', async () => {
    const after = async (status: number, value: string): Promise<[number | undefined, string]> => {
      const reply = await setup().answered(replyOf(status, { 'retry-after': value }))
      return [reply.retryAfter, reply.verdict]
    }
    deepEqual(await after(503, '3'), [3_000, 'throttled'])
    deepEqual(await after(503, '1e1'), [undefined, 'gateway'])
    deepEqual(await after(429, '2'), [2_000, 'throttled'])
    deepEqual(await after(200, '3'), [undefined, 'healthy'])
  })

  test('says how long its headers took, and which attempt it was', async () => {
    const { answered } = setup()
    const reply = await answered(replyOf(), 120)
    deepEqual([reply.timings.headers, reply.attempts], [120, 1])
  })

  test('leaves a line in the timeline when it is bad, and so does a failure', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env)
    void outcome(send(call))
    ;(await inner.next()).reply(replyOf(502))
    await settle()
    void outcome(send(call))
    ;(await inner.next()).fail(refused(call))
    await settle()
    deepEqual(call.trace.timeline.map(({ event }) => event), [
      'attempt 1: status 502 after 0 ms', 'attempt 2 to http://a.test failed: ECONNREFUSED',
    ])
  })
})

suite('the usual latency of an endpoint', () => {
  test('is learnt from healthy replies alone', async () => {
    const { answered, endpoint } = setup()
    await answered(replyOf(503), 900)
    await answered(replyOf(500), 900)
    equal(endpoint.latency.average, 0)
    await answered(replyOf(), 40)
    equal(endpoint.latency.average, 40)
  })

  test('is not learnt while our own event loop stands still', async () => {
    const { env, inner, send, endpoint } = setup()
    const sent = send(callAt(env))
    const received = await inner.next()
    await env.clock.stall(2_000)
    received.reply(replyOf())
    await sent
    equal(endpoint.latency.average, 0)
  })

  test('is not learnt from how long somebody reads a stream', async () => {
    const { env, inner, send, endpoint } = setup()
    const sent = send(callAt(env, { streamed: true }))
    const { reply, end } = streaming()
    const received = await inner.next()
    await env.clock.advance(30)
    received.reply(reply)
    await sent
    await env.clock.advance(8_000)
    end()
    equal(endpoint.latency.average, 30)
  })
})

test('every attempt is told of, to whoever listens, without a query', async t => {
  const events: AttemptEvent[] = []
  const hear = (event: AttemptEvent): void => void events.push(event)
  channels.attemptEnd.subscribe(hear)
  t.after(() => channels.attemptEnd.unsubscribe(hear))
  const { env, inner, send } = setup()
  const call = callAt(env)
  void outcome(send(call))
  ;(await inner.next()).reply(replyOf(503))
  await settle()
  void outcome(send(call))
  ;(await inner.next()).fail(refused(call))
  await settle()
  void outcome(send(call))
  ;(await inner.next()).fail(new Error('the caller has left'))
  await settle()
  deepEqual(events.map(({ attempt: number, verdict, status, error }) => [number, verdict, status, error]), [
    [1, 'gateway', 503, undefined], [2, 'gateway', undefined, 'ERR_CONNECTION'], [3, 'none', undefined, 'aborted'],
  ])
  ok(!JSON.stringify(events).includes('secret'))
})
