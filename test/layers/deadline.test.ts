import { deepEqual, equal, ok } from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { suite, test } from 'node:test'
import { DeadlineExceededError } from '../../src/outcome/errors.ts'
import { deadline } from '../../src/layers/deadline.ts'
import type { Phase } from '../../src/outcome/upstream-error.ts'
import { callAt, interruptible, judged, outcome, streaming } from '../support/calls.ts'
import { settle } from '../support/check.ts'
import { testEnv } from '../support/clock.ts'
import { scripted } from '../support/scripted.ts'

const setup = () => {
  const env = testEnv()
  const inner = scripted()
  return { env, inner, send: deadline(env)(interruptible(inner.send)) }
}

suite('the deadline', () => {
  test('hands on the reply, and lets go of its timer and the signal when the call is over', async () => {
    const { env, inner, send } = setup()
    const controller = new AbortController()
    for (const signal of [undefined, controller.signal]) {
      const call = callAt(env, signal === undefined ? {} : { signal })
      const sent = send(call)
      equal(env.clock.pending, 1)
      const reply = judged()
      ;(await inner.next()).reply(reply)
      equal(await sent, reply)
      call.over()
      call.over()
      equal(env.clock.pending, 0)
    }
    equal(getEventListeners(controller.signal, 'abort').length, 0)
  })

  test('ends the call when it passes, to the millisecond, once', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env, { options: { deadline: 500 } })
    const seen = outcome(send(call))
    const received = await inner.next()
    await env.clock.advance(499)
    equal(seen.settled, 0)
    await env.clock.advance(1)
    ok(seen.error instanceof DeadlineExceededError)
    deepEqual([seen.error.timeout, seen.error.phase, seen.error.code], [500, 'headers', 'ERR_DEADLINE_EXCEEDED'])
    received.reply(judged())
    await settle()
    equal(seen.settled, 1)
  })

  test('counts from the start of the call, not from when it comes here', async () => {
    const { env, send } = setup()
    const call = callAt(env, { options: { deadline: 500 } })
    await env.clock.advance(300)
    call.at = env.clock.now()
    const seen = outcome(send(call))
    await env.clock.advance(200)
    ok(seen.error instanceof DeadlineExceededError)
  })

  test('still covers a streamed body', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env, { streamed: true, options: { deadline: 500 } })
    const sent = send(call)
    const { reply } = streaming()
    ;(await inner.next()).reply(reply)
    await sent
    call.phase = 'body'
    let how: unknown
    reply.whenEnded(error => { how = error })
    await env.clock.advance(500)
    ok(how instanceof DeadlineExceededError)
    equal(how.phase, 'body')
  })

  test('speaks against an endpoint that had its usual time, and no other', async () => {
    const cases: [phase: Phase, usual: number, verdict: string][] = [
      ['connect', 0, 'gateway'], ['headers', 500, 'gateway'], ['body', 499, 'gateway'],
      ['headers', 501, 'none'], ['queue', 0, 'none'], ['back-off', 0, 'none'], ['caller', 0, 'none'],
    ]
    for (const [phase, usual, verdict] of cases) {
      const { env, inner, send } = setup()
      const call = callAt(env, { options: { deadline: 500 } })
      const seen = outcome(send(call))
      await inner.next()
      Object.assign(call, { phase, usualLatency: usual, attemptAt: call.startedAt, turnAt: call.startedAt })
      await env.clock.advance(500)
      ok(seen.error instanceof DeadlineExceededError)
      deepEqual([seen.error.phase, seen.error.verdict], [phase, verdict])
    }
  })

  test('speaks against nobody when our own event loop stood still', async () => {
    const { env, inner, send } = setup()
    const call = callAt(env, { options: { deadline: 500 } })
    const seen = outcome(send(call))
    await inner.next()
    call.attemptAt = call.turnAt = env.clock.now()
    await env.clock.stall(2_000)
    ok(seen.error instanceof DeadlineExceededError)
    equal(seen.error.verdict, 'none')
    ok(seen.error.timeline.some(({ event }) => event.includes('the event loop was blocked')))
  })

  test('says whether the call can have been sent', async () => {
    for (const [attempts, phase, sent] of [
      [0, 'queue', 'never'], [1, 'connect', 'never'], [1, 'headers', 'maybe'], [2, 'connect', 'never'], [2, 'back-off', 'maybe'],
    ] as const) {
      const { env, inner, send } = setup()
      const call = callAt(env, { options: { deadline: 500 } })
      const seen = outcome(send(call))
      await inner.next()
      call.trace.attempts = attempts
      call.phase = phase
      call.wasOnWire = sent === 'maybe'
      await env.clock.advance(500)
      ok(seen.error instanceof DeadlineExceededError)
      equal(seen.error.sent, sent, `${attempts} attempts, in ${phase}`)
    }
  })
})

suite('the caller\'s abort', () => {
  const reasons: [what: string, reason: unknown][] = [
    ['an error', new Error('the user has left')], ['a string', 'the user has left'], ['null', null], ['a number', 0],
  ]
  for (const [what, reason] of reasons) {
    test(`ends the call at once with its own reason: ${what}`, async () => {
      const { env, inner, send } = setup()
      const controller = new AbortController()
      const seen = outcome(send(callAt(env, { signal: controller.signal })))
      await inner.next()
      controller.abort(reason)
      await settle()
      deepEqual([seen.settled, seen.error], [1, reason])
      ok(!('reply' in seen))
    })
  }

  test('before the call begins lets nothing begin', async () => {
    const { env, inner, send } = setup()
    const seen = outcome(send(callAt(env, { signal: AbortSignal.abort('too late') })))
    await settle()
    deepEqual([seen.error, inner.calls, env.clock.pending], ['too late', 0, 0])
  })

  test('after the deadline, or a deadline after the abort, changes nothing', async () => {
    for (const first of ['abort', 'deadline'] as const) {
      const { env, inner, send } = setup()
      const controller = new AbortController()
      const seen = outcome(send(callAt(env, { signal: controller.signal, options: { deadline: 500 } })))
      await inner.next()
      if (first === 'abort') controller.abort('gone')
      await env.clock.advance(500)
      controller.abort('gone')
      await settle()
      equal(seen.settled, 1)
      equal(seen.error instanceof DeadlineExceededError, first === 'deadline')
    }
  })
})
