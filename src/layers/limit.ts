import type { Call } from '../call/call.ts'
import type { Env } from '../clock.ts'
import { LimitExceededError, TimeoutError, type LimitKind } from '../outcome/errors.ts'
import type { Layer, Send } from '../call/layer.ts'
import { upstreamOf } from '../upstream/of-call.ts'
import type { Sample } from '../upstream/limit/adaptive-limit.ts'
import type { Limit } from '../upstream/limit/limit.ts'
import type { Permits } from '../upstream/limit/permits.ts'
import type { Reply } from '../outcome/reply.ts'
import { onEnd, latencyOf, rejected, type Ended } from '../call/completion.ts'

/**
 * Takes a permit, or waits for one in a bounded queue; the permit is held until the reply's body ends. A call that no
 * endpoint would admit is refused before it waits, and one that has waited is asked again; but while a circuit closes, step by
 * step, calls wait for the next step. This stands outside the breaker: what we refuse ourselves is no evidence about the
 * upstream.
 */
export const limit = (env: Env): Layer => next => {
  const sample: Sample = { latency: 0, deadline: 0, inFlight: 0, healthy: false, dropped: false }
  const ended: Ended = (call, reply, error) => {
    const { capacity } = upstreamOf(call)
    const now = env.clock.now()
    // What this process's own standing still has added to the latency means nothing.
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
  /** Goes on with a permit in hand. */
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

/** What an attempt needs, in ms: as long as one takes now; but a call that has less time than others may also be quicker. */
const needed = ({ settings: { deadline } }: Call, { held }: Limit): number => Math.min(held, deadline / 2)

function refusal(call: Call, why: string, now: number, ...bound: [LimitKind, number, number?]): LimitExceededError {
  call.trace.mark(`refused: ${why}`, now)
  return new LimitExceededError(call.trace, ...bound)
}

interface Queue {
  readonly env: Env
  readonly permits: Permits
  readonly enter: Send
}

/** Waits for a permit, then goes on. Settles at once when the call is ended, and leaves the queue then. */
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
