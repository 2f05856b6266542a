import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Endpoint } from '../../src/upstream/endpoints/endpoint.ts'
import { Endpoints } from '../../src/upstream/endpoints/endpoints.ts'
import { CircuitOpenError } from '../../src/outcome/errors.ts'
import { balance } from '../../src/layers/balance.ts'
import type { Call } from '../../src/call/call.ts'
import type { BreakerOptions } from '../../src/options/breaker-options.ts'
import { callAt, endpointOf, judged, outcome, pass } from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { scripted } from '../support/scripted.ts'

const setup = (count: number, breaker: BreakerOptions | false = {}) => {
  const env = testEnv()
  const wires = Array.from({ length: count }, () => scripted())
  const all: Endpoint[] = wires.map((wire, index) => endpointOf(env, wire.send, breaker, `http://${index}.test`))
  const endpoints = new Endpoints(all, env)
  const trip = (...which: number[]): void => {
    for (const index of which) for (let n = 0; n < 5; n++) pass(all[index]!.circuit!, 'gateway', env.clock.now())
  }
  const send = balance(call => (call.endpoint as Endpoint).pool.send(call))
  return { env, wires, all, endpoints, trip, send, call: (): Call => callAt(env, { parts: { endpoints } }) }
}

suite('the route', () => {
  test('to a single endpoint is that one, open or not: its breaker has the word', async () => {
    const { wires, send, trip, call } = setup(1)
    trip(0)
    void outcome(send(call()))
    equal(wires[0]!.calls, 1)
  })

  test('leads to the endpoints that admit, and to all of them', async () => {
    const { wires, send, trip, call } = setup(3)
    trip(1)
    for (let n = 0; n < 100; n++) void outcome(send(call()))
    equal(wires[1]!.calls, 0)
    ok(wires[0]!.calls > 20 && wires[2]!.calls > 20, `${wires[0]!.calls} and ${wires[2]!.calls}`)
  })

  test('of a retry leads elsewhere if it can, and back if it must', async () => {
    const { wires, all, send, trip, call } = setup(2)
    for (let n = 0; n < 20; n++) {
      const made = call()
      made.endpoint = all[0]!
      void outcome(send(made))
    }
    deepEqual(wires.map(wire => wire.calls), [0, 20])
    trip(1)
    const made = call()
    made.endpoint = all[0]!
    void outcome(send(made))
    deepEqual(wires.map(wire => wire.calls), [1, 20])
  })

  test('prefers the less busy of two', async () => {
    const { wires, all, send, call } = setup(2)
    all[0]!.inFlight = 10
    for (let n = 0; n < 100; n++) void outcome(send(call()))
    ok(wires[1]!.calls > wires[0]!.calls * 2, wires.map(wire => wire.calls).join())
  })

  test('is refused when none admits, by the endpoint that opens first', async () => {
    const { env, wires, send, trip, call } = setup(2)
    trip(0)
    await env.clock.advance(200)
    trip(1)
    const seen = outcome(send(call()))
    await settle()
    ok(seen.error instanceof CircuitOpenError)
    ok(seen.error.retryAfter !== undefined && seen.error.retryAfter <= 800, String(seen.error.retryAfter))
    deepEqual(wires.map(wire => wire.calls), [0, 0])
  })

  test('is open to all when the breakers are off', async () => {
    const { env, endpoints, wires, send, call } = setup(2, false)
    deepEqual([endpoints.admits(env.clock.now()), endpoints.opensIn(env.clock.now())], [true, 0])
    const sent = send(call())
    const wire = wires.find(({ calls }) => calls === 1)!
    ;(await wire.next()).reply(judged())
    equal((await sent).status, 200)
  })
})

suite('a refusal by several endpoints', () => {
  test('is demand for one of them, in turns: together they get no more probes than one would', () => {
    for (const first of [0, 1]) {
      const { env, all, endpoints, trip } = setup(2, { probeShare: 0.1, openTime: 20_000 })
      trip(first)
      env.clock.tick(1_000)
      trip(1 - first)
      env.clock.tick(100)
      for (let n = 0; n < 18; n++) endpoints.refuse(callAt(env).trace, env.clock.now())
      deepEqual(all.map(endpoint => endpoint.admits(env.clock.now())), [false, false])
      for (let n = 0; n < 2; n++) endpoints.refuse(callAt(env).trace, env.clock.now())
      deepEqual(all.map(endpoint => endpoint.admits(env.clock.now())), [true, true])
    }
  })

  test('says when the first of them opens', () => {
    const { env, endpoints, all } = setup(3)
    for (const endpoint of all) endpoint.circuit!.isolate()
    equal(endpoints.opensIn(env.clock.now()), Infinity)
    all[2]!.circuit!.restore()
    all[2]!.circuit!.holds.begin(300, env.clock.now())
    equal(endpoints.opensIn(env.clock.now()), 300)
    equal(endpoints.refuse(callAt(env).trace, env.clock.now()).retryAfter, 300)
    all[2]!.circuit!.isolate()
    equal(endpoints.refuse(callAt(env).trace, env.clock.now()).retryAfter, undefined)
  })
})
