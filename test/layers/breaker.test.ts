import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Call } from '../../src/call/call.ts'
import type { Circuit } from '../../src/upstream/circuit/circuit.ts'
import type { Endpoint } from '../../src/upstream/endpoints/endpoint.ts'
import { CircuitOpenError, LimitExceededError, ResponseError } from '../../src/outcome/errors.ts'
import { attempt } from '../../src/layers/attempt.ts'
import { breaker } from '../../src/layers/breaker.ts'
import type { BreakerOptions } from '../../src/options/breaker-options.ts'
import type { Reply } from '../../src/outcome/reply.ts'
import {
  callAt, endpointOf, exhausted, interruptible, judged, outcome, pass, policyOf, refused, replyOf, reset, stale, streaming,
  type CallSetup,
} from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { scripted } from '../support/scripted.ts'

const setup = (options: BreakerOptions = {}, withAttempts = false) => {
  const env = testEnv()
  const inner = scripted()
  const endpoint: Endpoint = endpointOf(env, inner.send, options)
  const policy = policyOf({ breaker: options })
  const wire = interruptible(inner.send)
  const send = breaker(env)(withAttempts ? attempt(env)(wire) : wire)
  const call = (given: CallSetup = {}): Call => callAt(env, { policy, endpoint, ...given })
  const circuit: Circuit = endpoint.circuit!
  /** One call that ends so. */
  const end = async (how: Reply | ((call: Call) => unknown)): Promise<void> => {
    const made = call()
    const seen = outcome(send(made))
    const received = await inner.next()
    if (typeof how === 'function') received.fail(how(made))
    else received.reply(how)
    await settle()
    equal(seen.settled, 1)
  }
  const trip = (): void => {
    while (circuit.state === 'closed') pass(circuit, 'gateway', env.clock.now())
  }
  const probing = async (): Promise<void> => {
    trip()
    await env.clock.advance(1_000)
  }
  return { env, inner, circuit, endpoint, send, call, end, trip, probing }
}

suite('the breaker hears', () => {
  type Counts = [total: number, failures: number, run: number]
  const hears = (what: string, how: Reply | ((call: Call) => unknown), counts: Counts): void => {
    test(what, async () => {
      const { circuit, end } = setup()
      await end(how)
      deepEqual([circuit.window.total, circuit.window.failures, circuit.gateway], counts)
    })
  }
  hears('a healthy reply', judged(), [1, 0, 0])
  hears('a caller\'s mistake as healthy', judged(404), [1, 0, 0])
  hears('a gateway error, in a row', judged(502), [1, 1, 1])
  hears('a broken answer, not in a row', judged(500), [1, 1, 0])
  hears('a throttled one, not in a row', judged(503, 1_000), [1, 1, 0])
  hears('a refused connection, in a row', refused, [1, 1, 1])
  hears('a broken connection, in a row', reset, [1, 1, 1])
  hears('a malformed response, in a row', call => new ResponseError(call.trace, 'malformed', 'gateway'), [1, 1, 1])
  hears('a body larger than the caller wants as healthy', call => new ResponseError(call.trace, 'too long', 'healthy'), [1, 0, 0])
  hears('nothing of a stale connection', stale, [0, 0, 0])
  hears('nothing of our own exhaustion', exhausted, [0, 0, 0])
  hears('nothing of a refusal of our own', call => new LimitExceededError(call.trace, 'queue', 1), [0, 0, 0])
  hears('nothing of an abort with an error', () => new Error('the caller has left'), [0, 0, 0])
  hears('nothing of an abort with a string', () => 'the caller has left', [0, 0, 0])
})

suite('the breaker', () => {
  test('waits for the end of a streamed body, and hears how it ended', async () => {
    for (const truncated of [false, true]) {
      const { inner, circuit, send, call } = setup()
      const made = call({ streamed: true })
      const sent = send(made)
      const { reply, end } = streaming()
      ;(await inner.next()).reply(reply)
      await sent
      equal(circuit.window.total, 0)
      end(truncated ? new ResponseError(made.trace, 'truncated', 'gateway') : undefined)
      deepEqual([circuit.window.total, circuit.window.failures], [1, truncated ? 1 : 0])
    }
  })

  test('takes a call for slow by the time the endpoint took', async () => {
    const { env, inner, circuit, send, call } = setup({ slowCallDuration: 500 }, true)
    for (const [ms, slow] of [[499, 0], [500, 1]] as const) {
      const sent = send(call())
      const received = await inner.next()
      await env.clock.advance(ms)
      received.reply(replyOf())
      await sent
      equal(circuit.window.slow, slow)
    }
  })

  test('takes no call for slow because this process stood still, or a stream was long', async () => {
    const { env, inner, circuit, send, call } = setup({ slowCallDuration: 500 }, true)
    const sent = send(call())
    const received = await inner.next()
    await env.clock.stall(2_000)
    received.reply(replyOf())
    await sent
    await env.clock.advance(10)
    const streamed = send(call({ streamed: true }))
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await streamed
    await env.clock.advance(9_000)
    end()
    deepEqual([circuit.window.total, circuit.window.slow], [2, 0])
  })

  test('refuses while open, without sending: says why, and when to come back', async () => {
    const { inner, env, send, call, trip, circuit } = setup()
    trip()
    const opensIn = circuit.opensIn(env.clock.now())
    const seen = outcome(send(call()))
    await settle()
    ok(seen.error instanceof CircuitOpenError)
    deepEqual([seen.error.reason, seen.error.retryAfter, seen.error.sent], ['consecutive failures', opensIn, 'never'])
    deepEqual([seen.error.attempts, inner.calls], [0, 0])
  })

  test('counts what it refuses as demand for a probe', async () => {
    const { env, inner, send, call, trip } = setup({ probeShare: 0.1, openTime: 30_000 })
    trip()
    await env.clock.advance(100)
    for (let n = 0; n < 10; n++) void outcome(send(call()))
    equal(inner.calls, 0)
    void outcome(send(call()))
    equal(inner.calls, 1)
  })

  test('that is switched off lets everything through and hears nothing', async () => {
    const env = testEnv()
    const inner = scripted()
    const endpoint = endpointOf(env, inner.send, false)
    const send = breaker(env)(inner.send)
    for (let n = 0; n < 20; n++) {
      const call = callAt(env, { endpoint, options: { breaker: false } })
      const seen = outcome(send(call))
      ;(await inner.next()).fail(refused(call))
      await settle()
      equal(seen.settled, 1)
    }
    equal(inner.calls, 20)
  })
})

suite('a probe', () => {
  test('that the caller aborts neither closes nor opens, and frees its place for the next call', async () => {
    const { env, inner, circuit, send, call, probing } = setup({}, true)
    await probing()
    const probe = call()
    const seen = outcome(send(probe))
    await inner.next()
    equal(circuit.state, 'half-open')
    probe.cancel('the user has left')
    await settle()
    equal(seen.error, 'the user has left')
    deepEqual([circuit.state, circuit.opensIn(env.clock.now())], ['open', 0])
    for (let n = 0; n < 3; n++) {
      const sent = send(call())
      ;(await inner.next()).reply(replyOf())
      await sent
    }
    equal(circuit.state, 'closed')
  })

  test('that hangs ends at its time limit and re-opens the circuit', async () => {
    const { env, inner, circuit, send, call, probing } = setup({ probeTimeout: 200 }, true)
    await probing()
    const seen = outcome(send(call()))
    await inner.next()
    await env.clock.advance(199)
    deepEqual([seen.settled, circuit.state], [0, 'half-open'])
    await env.clock.advance(1)
    deepEqual([seen.settled, circuit.state], [1, 'open'])
    ok(circuit.opensIn(env.clock.now()) > 1_000)
  })

  test('whose streamed body never ends does not stay out: it counts for what has come by its time', async () => {
    const { env, inner, circuit, send, call, probing } = setup({ probeTimeout: 200, probes: 1 }, true)
    await probing()
    const sent = send(call({ streamed: true }))
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    await env.clock.advance(199)
    equal(circuit.state, 'half-open')
    await env.clock.advance(1)
    equal(circuit.state, 'closed')
    end(new Error('much later'))
    deepEqual([circuit.state, circuit.window.total], ['closed', 0])
  })

  test('whose streamed body breaks in time re-opens, one that ends well in time counts at once', async () => {
    for (const [broken, state] of [[true, 'open'], [false, 'closed']] as const) {
      const { env, inner, circuit, send, call, probing } = setup({ probeTimeout: 200, probes: 1 }, true)
      await probing()
      const made = call({ streamed: true })
      const sent = send(made)
      const { reply, end } = streaming()
      ;(await inner.next()).reply(reply)
      await sent
      end(broken ? new ResponseError(made.trace, 'truncated', 'gateway') : undefined)
      equal(circuit.state, state)
      equal(env.clock.pending, 0)
    }
  })

  test('of a streamed call without an answer ends at its time, too', async () => {
    const { env, inner, circuit, send, call, probing } = setup({ probeTimeout: 200 }, true)
    await probing()
    const seen = outcome(send(call({ streamed: true })))
    await inner.next()
    await env.clock.advance(200)
    deepEqual([seen.settled, circuit.state, env.clock.pending], [1, 'open', 0])
  })

  test('is not made by a late end of a call from before the trip', async () => {
    const { inner, circuit, send, call, trip, env } = setup({}, true)
    const early = send(call())
    const received = await inner.next()
    trip()
    await env.clock.advance(1_000)
    void outcome(send(call()))
    equal(circuit.state, 'half-open')
    received.reply(replyOf())
    await early
    equal(circuit.state, 'half-open')
  })
})

suite('a Retry-After', () => {
  const holdOf = async (reply: Reply, options: BreakerOptions = {}): Promise<number> => {
    const { env, circuit, call, end } = setup(options)
    await end(reply)
    equal(circuit.opensIn(env.clock.now()), 0, 'other paths are admitted')
    return circuit.holds.pathLeft(call().trace.path, env.clock.now())
  }

  test('of a 503 holds its path for so long', async () => equal(await holdOf(judged(503, 2_000)), 2_000))

  test('of a 503 holds it no longer than allowed', async () => {
    equal(await holdOf(judged(503, 86_400_000)), 5_000)
    equal(await holdOf(judged(503, 86_400_000), { maxHold: 700 }), 700)
    equal(await holdOf(judged(503, 2_000), { maxHold: 0 }), 0)
  })

  test('of a 429 holds it only when configured', async () => {
    equal(await holdOf(judged(429, 2_000)), 0)
    equal(await holdOf(judged(429, 2_000), { holdOn429: true }), 2_000)
  })

  test('of another status, or none, holds nothing', async () => {
    equal(await holdOf(judged(500, 2_000)), 0)
    equal(await holdOf(judged(503)), 0)
  })

  test('while held, refuses with the time that is left', async () => {
    const { env, send, call, end } = setup()
    await end(judged(503, 2_000))
    await env.clock.advance(500)
    const seen = outcome(send(call()))
    await settle()
    ok(seen.error instanceof CircuitOpenError)
    deepEqual([seen.error.retryAfter, seen.error.reason], [1_500, 'the upstream asked to wait for this path (Retry-After)'])
  })
})
