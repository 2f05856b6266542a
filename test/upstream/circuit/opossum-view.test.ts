import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import CircuitBreaker from 'opossum'
import type { Call } from '../../../src/call/call.ts'
import { channels, type CircuitEvent } from '../../../src/events.ts'
import { attempt } from '../../../src/layers/attempt.ts'
import { breaker } from '../../../src/layers/breaker.ts'
import type { BreakerOptions } from '../../../src/options/breaker-options.ts'
import { CircuitOpenError, ConnectionError, ResponseError, StatusError } from '../../../src/outcome/errors.ts'
import type { Reply } from '../../../src/outcome/reply.ts'
import type { BreakerEvents, BreakerView } from '../../../src/upstream/circuit/breaker-view.ts'
import { Circuit } from '../../../src/upstream/circuit/circuit.ts'
import { viewOf } from '../../../src/upstream/circuit/opossum-view.ts'
import { Endpoints } from '../../../src/upstream/endpoints/endpoints.ts'
import {
  breakerPolicy, callAt, endpointOf, exhausted, interruptible, judged, outcome, pass, policyOf, refused, replyOf, streaming,
} from '../../support/calls.ts'
import { settle } from '../../support/check.ts'
import { testEnv } from '../../support/clock.ts'
import { scripted } from '../../support/scripted.ts'

const NAMES: readonly (keyof BreakerEvents)[] =
  ['fire', 'reject', 'success', 'failure', 'timeout', 'open', 'halfOpen', 'close', 'shutdown']

/** One endpoint below the layers that report to its circuit, and a view of that circuit. */
const setup = (options: BreakerOptions = {}) => {
  const env = testEnv()
  const inner = scripted()
  const endpoint = endpointOf(env, inner.send, options)
  const circuit: Circuit = endpoint.circuit!
  const policy = policyOf({ breaker: options, attemptTimeout: 5_000 })
  const send = breaker(env)(attempt(env)(interruptible(inner.send)))
  const view = viewOf(circuit, { name: endpoint.origin, group: 'orders', policy: breakerPolicy(options), env })
  const events: [name: string, ...args: unknown[]][] = []
  for (const name of NAMES) view.on(name, (...args: unknown[]) => { events.push([name, ...args]) })
  const call = (streamed = false): Call => callAt(env, { policy, endpoint, streamed })
  return {
    env, circuit, endpoint, view, events, inner, call, send,
    /** The names of the events since the last time they were asked for. */
    names: (): string[] => events.splice(0).map(([name]) => name),
    /** One call that ends so, after `ms`. */
    async end(how: Reply | ((call: Call) => unknown), ms = 0): Promise<void> {
      const made = call()
      const seen = outcome(send(made))
      const received = await inner.next()
      await env.clock.advance(ms)
      if (typeof how === 'function') received.fail(how(made))
      else received.reply(how)
      await settle()
      equal(seen.settled, 1)
    },
    async refuse(): Promise<unknown> {
      const seen = outcome(send(call()))
      await settle()
      return seen.error
    },
    trip(): void { for (let n = 0; n < 5; n++) pass(circuit, 'gateway', env.clock.now()) },
  }
}

suite('a view of a circuit', () => {
  test('is an opossum breaker, and counts the same events as any other', () => {
    const { view, circuit } = setup()
    ok(view instanceof CircuitBreaker)
    const plain = new CircuitBreaker(() => Promise.reject(new Error('never fired')), { enableSnapshots: false })
    const shown = { name: 'http://a.test', group: 'orders', policy: breakerPolicy(), env: testEnv() }
    const fresh = viewOf(new Circuit(breakerPolicy(), testEnv(), () => undefined), shown)
    deepEqual(fresh.eventNames().toSorted(), plain.eventNames().toSorted())
    plain.shutdown()
    equal(viewOf(circuit, shown), view, 'one for all who ask')
    deepEqual([view.name, view.group, view.enabled, view.warmUp], ['http://a.test', 'orders', true, false])
  })

  test('emits fire and success, with the status and the time it took', async () => {
    const { end, events } = setup()
    await end(replyOf(204), 20)
    deepEqual(events, [['fire', []], ['success', { status: 204 }, 20]])
  })

  test('gives the time of the whole attempt where the upstream\'s share of it is unknown', async () => {
    const { env, inner, call, events, endpoint } = setup()
    const send = breaker(env)(interruptible(inner.send))
    const made = call(true)
    equal(made.endpoint, endpoint)
    const sent = send(made)
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    equal(made.headersLatency, undefined)
    await env.clock.advance(30)
    end()
    deepEqual(events.at(-1), ['success', { status: 200 }, 30])
  })

  test('emits failure for what speaks against the endpoint', async () => {
    const { end, events, names } = setup()
    await end(refused)
    deepEqual(events.map(([name]) => name), ['fire', 'failure'])
    equal(events[1]?.[1] instanceof ConnectionError, true)
    names()
    await end(replyOf(503, { 'set-cookie': 'secret', 'retry-after': '1' }), 7)
    const [, [name, error, ...rest] = []] = events
    deepEqual([name, ...rest], ['failure', 7, []])
    ok(error instanceof StatusError)
    equal(error.message, 'GET /things on orders: status 503 (1 attempt in 7 ms)')
    deepEqual([error.headers, error.body], [{}, ''])
    ok(!inspect(error, { depth: 9, showHidden: true }).includes('secret'))
  })

  test('emits success for an error that is not the endpoint\'s', async () => {
    const { end, events } = setup()
    await end(call => new ResponseError(call.trace, 'longer than maxBodySize', 'healthy'))
    deepEqual(events, [['fire', []], ['success', { status: undefined }, 0]])
  })

  test('emits no outcome without evidence: opossum would call it a success', async () => {
    const { end, names } = setup()
    await end(() => new Error('the caller has left'))
    await end(exhausted)
    deepEqual(names(), ['fire', 'fire'])
  })

  test('emits timeout before failure', async () => {
    const { env, send, call, events, view } = setup()
    const seen = outcome(send(call()))
    await env.clock.advance(5_000)
    equal(seen.settled, 1)
    deepEqual(events.map(([name]) => name), ['fire', 'timeout', 'failure'])
    equal(events[1]?.[1], seen.error)
    deepEqual([view.stats.timeouts, view.stats.failures], [1, 1])
  })

  test('emits one outcome for a streamed probe that outlasts its time', async () => {
    const { env, inner, send, call, trip, names } = setup({ probeTimeout: 1_000 })
    trip()
    await env.clock.advance(1_000)
    names()
    const sent = send(call(true))
    const { reply, end } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    await env.clock.advance(1_000)
    end()
    deepEqual(names(), ['halfOpen', 'fire', 'success'])
  })

  test('emits fire and reject for a refusal, with the error that the caller gets', async () => {
    const { refuse, trip, events, names } = setup()
    trip()
    names()
    const error = await refuse()
    ok(error instanceof CircuitOpenError)
    deepEqual(events, [['fire', []], ['reject', error]])
  })

  test('of one of several endpoints emits reject when the call counts as demand for its probe', () => {
    const env = testEnv()
    const all = ['a', 'b'].map(name => endpointOf(env, scripted().send, {}, `http://${name}.test`))
    const endpoints = new Endpoints(all, env)
    const rejects = all.map(({ circuit, origin: name }) => {
      const seen: CircuitOpenError[] = []
      viewOf(circuit!, { name, group: 'orders', policy: breakerPolicy(), env }).on('reject', error => { seen.push(error) })
      for (let n = 0; n < 5; n++) pass(circuit!, 'gateway', env.clock.now())
      return seen
    })
    const errors = Array.from({ length: 4 }, () => endpoints.refuse(callAt(env).trace, env.clock.now()))
    deepEqual(rejects.map(seen => seen.length), [2, 2])
    deepEqual(new Set(rejects.flat()), new Set(errors))
  })

  test('follows the circuit through all states', async () => {
    const { env, circuit, view, trip, end, names } = setup({ probes: 2, openTime: 5_000 })
    const shown = (): boolean[] => [view.closed, view.opened, view.halfOpen, view.pendingClose]
    deepEqual(shown(), [true, false, false, false])
    trip()
    deepEqual([names(), shown()], [['open'], [false, true, false, false]])
    await env.clock.advance(5_000)
    await end(replyOf(502))
    deepEqual(names(), ['halfOpen', 'fire', 'failure', 'open'])
    await env.clock.advance(10_000)
    await end(replyOf())
    deepEqual([names(), shown()], [['halfOpen', 'fire', 'success'], [false, false, true, true]])
    await end(replyOf())
    deepEqual([names(), shown()], [['fire', 'success', 'close'], [true, false, false, false]])
    circuit.isolate()
    deepEqual([names(), shown()], [['open'], [false, true, false, false]])
    circuit.restore()
    deepEqual([names(), shown()], [['close'], [true, false, false, false]])
  })

  test('says with halfOpen how long the circuit stays open at first', async () => {
    const { env, trip, end, events } = setup({ openTime: 5_000 })
    trip()
    await env.clock.advance(5_000)
    await end(replyOf())
    deepEqual(events.find(([name]) => name === 'halfOpen'), ['halfOpen', 5_000])
  })

  test('emits open once when an open circuit is isolated', () => {
    const { trip, circuit, names } = setup()
    trip()
    circuit.isolate()
    deepEqual(names(), ['open'])
  })

  test('opens and closes the circuit by hand', () => {
    const { view, circuit } = setup()
    view.open()
    deepEqual([circuit.state, view.opened], ['isolated', true])
    view.close()
    deepEqual([circuit.state, view.closed], ['closed', true])
  })

  test('shows the options, and new ones', () => {
    const { view, circuit } = setup({ minimumCalls: 7, failureRate: 0.3, openTime: 2_000 })
    const options = (): unknown[] => {
      const { resetTimeout, errorThresholdPercentage, rollingCountTimeout } = (view as unknown as CircuitBreaker).options
      return [view.volumeThreshold, resetTimeout, errorThresholdPercentage, rollingCountTimeout]
    }
    deepEqual(options(), [7, 2_000, 30, 20_000])
    circuit.tune(breakerPolicy({ minimumCalls: 8, failureRate: 0.5, openTime: 3_000, window: 30_000 }))
    deepEqual(options(), [8, 3_000, 50, 30_000])
  })

  test('writes JSON as opossum does, with the time of the last opening', async () => {
    const { view, trip, end } = setup()
    await end(replyOf())
    const before = Date.now()
    trip()
    const { state, status } = JSON.parse(JSON.stringify(view)) as {
      state: { name: string; open: boolean; closed: boolean; lastTimerAt: number }
      status: { successes: number }
    }
    deepEqual([state.name, state.open, state.closed, status.successes], ['http://a.test', true, false, 1])
    ok(state.lastTimerAt >= before && state.lastTimerAt <= Date.now(), String(state.lastTimerAt))
  })

  test('ends when the circuit is no longer used: its last event is shutdown', async () => {
    const { view, circuit, names, end, env } = setup()
    circuit.release()
    deepEqual(names(), ['shutdown'])
    deepEqual([view.isShutdown, view.enabled, view.closed, view.opened, view.halfOpen], [true, false, false, false, false])
    equal(circuit.observer, undefined)
    await end(replyOf())
    view.open()
    deepEqual([names(), circuit.state, view.stats.fires], [[], 'closed', 0])
    const next = viewOf(circuit, { name: 'http://a.test', group: 'orders', policy: breakerPolicy(), env })
    ok(next !== view && !next.isShutdown, 'and another may be asked for')
  })
})

suite('a view disturbs nothing', () => {
  test('what would need an action of its own is refused, in words', async () => {
    const { view, circuit } = setup()
    const opossum = view as unknown as CircuitBreaker & { fire(): Promise<never> }
    await rejects(opossum.fire(), { name: 'TypeError', message: /^fire\(\) is not available on a view of a circuit/ })
    await rejects(opossum.call(), TypeError)
    throws(() => { opossum.disable() }, /^TypeError: disable\(\) is not available/)
    throws(() => { opossum.fallback(() => 1) }, /^TypeError: fallback\(\) is not available/)
    throws(() => { opossum.healthCheck(() => 1) }, /^TypeError: healthCheck\(\) is not available/)
    deepEqual([circuit.state, view.enabled, view.stats.fires], ['closed', true, 0])
  })

  test('events emitted by hand change counts, and nothing of the circuit', async () => {
    const { env, view, circuit, trip, end } = setup({ probes: 3 })
    view.emit('open')
    for (let n = 0; n < 1_000; n++) view.emit('failure', new Error('by hand'), 1)
    equal(circuit.state, 'closed')
    trip()
    view.emit('success')
    view.emit('close')
    equal(circuit.state, 'open')
    await env.clock.advance(1_000)
    await end(replyOf())
    view.emit('success')
    equal(circuit.state, 'half-open', 'opossum alone would have closed with the first success')
  })

  test('options of the view decide nothing', () => {
    const { view, circuit, trip, env } = setup({ openTime: 1_000 })
    Object.assign((view as unknown as CircuitBreaker).options, { resetTimeout: 1, errorThresholdPercentage: 0 })
    pass(circuit, 'unhealthy', env.clock.now())
    equal(circuit.state, 'closed')
    trip()
    ok(circuit.opensIn(env.clock.now()) > 700)
  })

  test('a listener that throws disturbs no call, and the others and the counts go on', async () => {
    const { end, view, circuit, trip, endpoint } = setup()
    const thrown: unknown[] = []
    const uncaught = (error: unknown): void => { thrown.push(error) }
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException').on('uncaughtException', uncaught)
    try {
      for (const name of NAMES) view.on(name, () => { throw new Error(`listener of ${name}`) })
      await end(replyOf())
      trip()
      circuit.release()
      await settle()
    } finally {
      process.off('uncaughtException', uncaught)
      for (const listener of before) process.on('uncaughtException', listener)
    }
    deepEqual(thrown.map(error => (error as Error).message),
      ['fire', 'success', 'open', 'shutdown'].map(name => `listener of ${name}`))
    deepEqual([view.stats.successes, circuit.state, view.isShutdown, endpoint.inFlight], [1, 'open', true, 0])
  })

  test('a listener may isolate and restore the circuit in the middle of any event', async () => {
    for (const name of ['fire', 'success', 'failure', 'open', 'halfOpen'] as const) {
      const { env, view, circuit, trip, end, names } = setup()
      if (name === 'halfOpen') trip()
      await env.clock.advance(1_000)
      names()
      view.once(name, () => { view.open() })
      if (name === 'open') trip()
      else await end(name === 'failure' ? replyOf(502) : replyOf())
      equal(circuit.state, 'isolated', name)
      equal(names().at(-1), name === 'open' ? 'open' : name === 'halfOpen' || name === 'fire' ? 'success' : 'open', name)
      view.close()
      equal(circuit.state, 'closed', name)
      for (let n = 0; n < 3; n++) ok(pass(circuit, 'healthy', env.clock.now()), name)
    }
  })

  test('a subscriber of the channel may isolate it as it half-opens: it stays isolated', async () => {
    const env = testEnv()
    const events: string[] = []
    const changes: string[] = []
    const circuit: Circuit = new Circuit(breakerPolicy({ probes: 1 }), env, (from, to) => {
      changes.push(to)
      channels.circuit.publish({ client: 'c', upstream: 'u', endpoint: 'e', from, to, reason: '' })
    })
    const isolate = ({ to }: CircuitEvent): void => { if (to === 'half-open') circuit.isolate() }
    const view = viewOf(circuit, { name: 'e', group: 'u', policy: breakerPolicy(), env })
    for (const name of ['open', 'halfOpen', 'close'] as const) view.on(name, () => { events.push(name) })
    channels.circuit.subscribe(isolate)
    try {
      for (let n = 0; n < 5; n++) pass(circuit, 'gateway', env.clock.now())
      await env.clock.advance(1_000)
      ok(pass(circuit, 'healthy', env.clock.now()))
    } finally {
      channels.circuit.unsubscribe(isolate)
    }
    deepEqual([circuit.state, view.opened, events], ['isolated', true, ['open']])
    deepEqual(changes, ['open', 'half-open', 'isolated'], 'what becomes of the probe is of no interest then')
  })

  test('nobody has asked: nothing is observed', async () => {
    const env = testEnv()
    const inner = scripted()
    const endpoint = endpointOf(env, inner.send)
    equal(endpoint.circuit?.observer, undefined)
  })
})

suite('the counts of a view', () => {
  const counts = ({ stats: { fires, successes, failures, rejects, timeouts } }: BreakerView): number[] =>
    [fires, successes, failures, rejects, timeouts]

  test('are those of the window', async () => {
    const { env, view, end, refuse, trip } = setup()
    for (let n = 0; n < 3; n++) await end(replyOf(), 10)
    await end(replyOf(500), 50)
    trip()
    await refuse()
    deepEqual(counts(view), [5, 3, 1, 1, 0])
    deepEqual([view.stats.latencyMean, view.stats.percentiles['0.5'], view.stats.percentiles['1']], [20, 10, 50])
    await env.clock.advance(19_000)
    deepEqual(counts(view), [5, 3, 1, 1, 0])
    await env.clock.advance(1_000)
    deepEqual(counts(view), [0, 0, 0, 0, 0], 'though nothing has happened since')
  })

  test('leave by a status that was kept, too, and by slices', async () => {
    const { env, view, end } = setup()
    const { status } = view
    for (let n = 0; n < 4; n++) {
      await end(replyOf())
      await env.clock.advance(8_000)
    }
    equal(status.stats.successes, 2)
  })

  test('of an idle year take ten steps to leave', async () => {
    const { env, view, end } = setup()
    await end(replyOf())
    const { status } = view as unknown as CircuitBreaker
    const { rotateBucket } = status
    let steps = 0
    status.rotateBucket = () => {
      steps++
      rotateBucket()
    }
    await env.clock.advance(365 * 86_400_000)
    deepEqual([view.stats.successes, steps], [0, 10])
  })

  test('are not lost when the window becomes longer', async () => {
    const { env, view, end, circuit } = setup()
    await end(replyOf())
    circuit.tune(breakerPolicy({ window: 60_000 }))
    await env.clock.advance(50_000)
    equal(view.stats.successes, 1)
    await env.clock.advance(10_000)
    equal(view.stats.successes, 0)
  })

  test('hold a bounded sample of latencies, of the whole slice', () => {
    const { circuit, env, view } = setup()
    const trace = callAt(env).trace
    for (let n = 1; n <= 20_000; n++) {
      circuit.observer?.ended({ verdict: 'healthy', latency: n, report: trace, reply: judged(), error: undefined })
    }
    const { successes, latencyTimes, percentiles } = view.stats
    deepEqual([successes, latencyTimes.length], [20_000, 1_000])
    const median = percentiles['0.5'] ?? 0
    ok(median > 8_500 && median < 11_500, `the median of the sample is ${median}`)
  })

  test('come as snapshots while these are listened to, by a timer in the background', async () => {
    const { env, view, end } = setup()
    const seen: number[] = []
    const listener = ({ successes }: { successes: number }): void => { seen.push(successes) }
    equal(env.clock.background, 0)
    view.status.on('snapshot', listener)
    await end(replyOf())
    await env.clock.advance(4_000)
    deepEqual([seen, env.clock.background, env.clock.pending], [[1, 1], 1, 0])
    view.status.off('snapshot', listener)
    await env.clock.advance(2_000)
    deepEqual([seen.length, env.clock.background], [2, 0])
    view.status.on('snapshot', listener)
    await env.clock.advance(2_000)
    view.shutdown()
    deepEqual([seen.length, env.clock.background], [3, 0])
  })
})

test('a view starts no timer of its own, in any state', async () => {
  const before = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  const { env, view, trip, end } = setup()
  trip()
  await env.clock.advance(1_000)
  await end(replyOf())
  deepEqual([view.halfOpen, env.clock.pending, env.clock.background], [true, 0, 0])
  equal(process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length, before)
})
