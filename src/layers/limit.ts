import type { Call } from '../call/call.ts'
import { latencyOf, onEnd, rejected, type Ended } from '../call/completion.ts'
import type { Layer, Send } from '../call/layer.ts'
import type { Env } from '../clock.ts'
import { LimitExceededError, TimeoutError, type LimitKind } from '../outcome/errors.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Sample } from '../upstream/limit/adaptive-limit.ts'
import type { Limit } from '../upstream/limit/limit.ts'
import type { Permits } from '../upstream/limit/permits.ts'
import { upstreamOf } from '../upstream/of-call.ts'

/**
 * Takes a permit, or waits for one in a bounded queue; the permit is held until the reply's body ends. A call that no
 * endpoint would admit is refused before it waits, and checked again after the wait; while a circuit is closing step by
 * step, calls wait for the next step. The layer is outside the breaker, so its refusals are no evidence about the
 * upstream.
 */
export const limit = (env: Env): Layer => next => {
  const sample: Sample = { latency: 0, deadline: 0, inFlight: 0, healthy: false, dropped: false }
  const ended: Ended = (call, reply, error) => {
    const { capacity } = upstreamOf(call)
    const now = env.clock.now()
    // A latency that includes a stall of this process says nothing about the upstream.
    if (env.clock.stalledAt < call.attemptAt) {
      sample.latency = latencyOf(call, reply, now)
      sample.deadline = call.settings.deadline
      sample.inFlight = capacity.permits.taken
      sample.healthy = error === undefined && reply?.verdict === 'healthy'
      sample.dropped = reply?.verdict === 'throttled' || (error instanceof TimeoutError && error.verdict !== 'none')
      if (call.admission < 0) capacity.probed(sample, now)
      else capacity.learn(sample, now)
    }
    capacity.permits.release(now)
  }
  /** Continues with a permit taken. */
  const enter = (call: Call): Promise<Reply> => {
    const { capacity, endpoints } = upstreamOf(call)
    if (endpoints.admits(call.at)) return onEnd(next(call), call, ended)
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
    if (admits && permits.take()) return onEnd(next(call), call, ended)
    if (policy.queue === 0) return rejected(refusal(call, 'no permit', at, 'permits', permits.max))
    const patience = Math.max(0, Math.min(policy.queueTimeout, call.deadlineAt - at - needed(call, capacity)))
    const expected = capacity.expectedWait(priority, at)
    if (expected > patience) return rejected(refusal(call, 'no permit in sight', at, 'wait', patience, expected))
    const places = permits.isOverloaded(at) ? Math.min(policy.queue, permits.max) : policy.queue
    if (!permits.makeRoom(places, priority, at)) return rejected(refusal(call, 'queue full', at, 'queue', places))
    return inQueue(call, patience, { env, permits, enter })
  }
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
  readonly permits: Permits
  readonly enter: Send
}

/** Waits for a permit, then continues. If the call is ended meanwhile, leaves the queue and settles at once. */
function inQueue(call: Call, patience: number, { env, permits, enter }: Queue): Promise<Reply> {
  const since = call.at
  call.phase = 'queue'
  return new Promise((resolve, reject) => {
    const leave = (): number => {
      timer.cancel()
      permits.leave(waiter)
      call.waitFor(undefined)
      const now = env.clock.now()
      call.queued += now - since
      return now
    }
    const waiter = permits.wait(() => {
      const now = leave()
      call.at = now
      call.trace.mark(`waited ${Math.round(now - since)} ms for a permit`, now)
      resolve(enter(call))
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
