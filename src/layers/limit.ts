import type { Call } from '../call/call.ts'
import { latencyOf, onEnd, onReply, rejected, type Ended, type Replied } from '../call/completion.ts'
import type { Layer, Send } from '../call/layer.ts'
import type { Env } from '../clock.ts'
import { isOneShot } from '../http/body.ts'
import { LimitExceededError, TimeoutError, type LimitKind } from '../outcome/errors.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Sample } from '../upstream/limit/adaptive-limit.ts'
import { LOOK, type Limit } from '../upstream/limit/limit.ts'
import { upstreamOf } from '../upstream/of-call.ts'

/**
 * Takes a permit, or waits for one in a bounded queue. The permit is held while the upstream works: until the reply's body ends,
 * or until its headers arrive if the body is streamed; and it is lent to others while the call waits for its caller's own body.
 *
 * A call that no endpoint would admit is refused before it waits, and checked again after the wait; while a circuit is closing
 * step by step, calls wait for the next step. The layer is outside the breaker, so its refusals are no evidence about the
 * upstream.
 */
export const limit = (env: Env): Layer => next => {
  const sample: Sample = { latency: 0, deadline: 0, inFlight: 0, healthy: false, dropped: false }
  const learn: Ended = (call, reply, error) => {
    const { capacity } = upstreamOf(call)
    const now = env.clock.now()
    const latency = latencyOf(call, reply, now)
    // A latency that includes a stall of this process says nothing about the upstream.
    if (latency === undefined || env.clock.stalledAt >= call.attemptAt) return
    sample.latency = latency
    sample.deadline = call.settings.deadline
    sample.inFlight = capacity.permits.taken
    sample.healthy = error === undefined && reply?.verdict === 'healthy'
    sample.dropped = reply?.verdict === 'throttled' || (error instanceof TimeoutError && error.verdict !== 'none')
    if (call.admission < 0) capacity.probed(sample, now)
    else capacity.learn(sample, now)
  }
  const ended: Ended = (call, reply, error) => {
    const { lent } = upstreamOf(call).capacity
    // A streamed reply was judged by its headers.
    if (reply !== undefined && call.settings.streamed) lent.bodyEnded()
    else {
      learn(call, reply, error)
      lent.ended(call, env.clock.now())
    }
  }
  const replied: Replied = (call, reply) => {
    learn(call, reply)
    upstreamOf(call).capacity.lent.answered(call, env.clock.now())
  }
  const send = (call: Call): Promise<Reply> => {
    upstreamOf(call).capacity.lent.hold(call)
    const sent = onEnd(next(call), call, ended)
    return call.settings.streamed ? onReply(sent, call, replied) : sent
  }
  /** Continues with a permit taken, for which the call may have waited. */
  const enter = (call: Call): Promise<Reply> => {
    const { capacity, endpoints } = upstreamOf(call)
    if (endpoints.admits(call.at)) return send(call)
    capacity.permits.release(call.at)
    return rejected(endpoints.refuse(call.trace, call.at))
  }
  return call => {
    const { at, settings: { policy: { limit: policy }, priority } } = call
    const { capacity, capacity: { permits }, endpoints } = upstreamOf(call)
    const admits = endpoints.admits(at)
    const mayWait = policy !== false && policy.queue > 0
    if (!admits && !(mayWait && endpoints.isOpening(at))) return rejected(endpoints.refuse(call.trace, at))
    if (policy === false) return next(call)
    const { streamed } = call.settings
    if ((streamed || isOneShot(call.body)) && capacity.lent.bodies >= policy.bodies) {
      return rejected(refusal(call, 'too many bodies in transit', at, 'bodies', policy.bodies))
    }
    if (admits && permits.take()) return send(call)
    capacity.lent.reclaim(at)
    if (admits && permits.take()) return send(call)
    if (policy.queue === 0) return rejected(refusal(call, 'no permit', at, 'permits', permits.max))
    const patience = Math.max(0, Math.min(policy.queueTimeout, call.deadlineAt - at - needed(call, capacity)))
    const expected = capacity.expectedWait(priority, at)
    if (expected > patience) return rejected(refusal(call, 'no permit in sight', at, 'wait', patience, expected))
    const places = permits.isOverloaded(at) ? Math.min(policy.queue, permits.max) : policy.queue
    if (!permits.makeRoom(places, priority, at)) return rejected(refusal(call, 'queue full', at, 'queue', places))
    watch(capacity, env)
    return inQueue(call, patience, { env, capacity, enter })
  }
}

/** Looks for permits as long as calls wait for one. */
function watch(capacity: Limit, env: Env): void {
  capacity.looking ??= env.clock.after(LOOK, () => {
    capacity.looking = undefined
    capacity.look(env.clock.now())
    if (capacity.permits.queued > 0) watch(capacity, env)
  })
}

/**
 * The time an attempt needs, in ms: the current hold time; at most half of the deadline, as short deadlines belong to
 * quick calls.
 */
const needed = ({ settings: { deadline } }: Call, { holdTime }: Limit): number => Math.min(holdTime, deadline / 2)

function refusal(call: Call, why: string, now: number, ...bound: [LimitKind, number, number?]): LimitExceededError {
  call.trace.mark(`refused: ${why}`, now)
  return new LimitExceededError(call.trace, ...bound)
}

interface Queue {
  readonly env: Env
  readonly capacity: Limit
  readonly enter: Send
}

/** Waits for a permit, then continues. If the call is ended meanwhile, leaves the queue and settles at once. */
function inQueue(call: Call, patience: number, { env, capacity, enter }: Queue): Promise<Reply> {
  const since = call.at
  const { permits } = capacity
  call.phase = 'queue'
  return new Promise((resolve, reject) => {
    const leave = (): number => {
      timer.cancel()
      permits.leave(waiter)
      if (permits.queued === 0) capacity.stopLooking()
      call.waitFor(undefined)
      const now = env.clock.now()
      call.queued += now - since
      return now
    }
    const waiter = permits.wait(() => {
      const now = leave()
      call.at = now
      call.trace.mark(`waited ${Math.round(now - since)} ms for a permit`, now)
      if (now < call.deadlineAt) resolve(enter(call))
      else {
        permits.release(now)
        reject(refusal(call, 'no permit in time', now, 'queue timeout', patience))
      }
    }, () => {
      reject(refusal(call, 'displaced from the queue', leave(), 'queue', permits.queued))
    }, since, call.settings.priority)
    const timer = env.clock.after(patience, () => {
      reject(refusal(call, 'no permit in time', leave(), 'queue timeout', patience))
    })
    call.waitFor({
      stop: reason => {
        leave()
        reject(reason)
      },
    })
  })
}
