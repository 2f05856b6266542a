import type { Call } from '../call.ts'
import type { Env } from '../clock.ts'
import { LimitExceededError, TimeoutError, type LimitKind, type RejectedError } from '../errors.ts'
import type { Layer } from '../layer.ts'
import type { Limit } from '../policy/limit.ts'
import type { Permits } from '../policy/permits.ts'
import { atEnd, rejected, type Ended } from '../sent.ts'
import type { Trace } from '../trace.ts'

/** Knows whether some endpoint would admit a call, and refuses it if not. */
export interface Doorkeeper {
  admits(now: number): boolean
  refuse(trace: Trace, now: number): RejectedError
}

/**
 * Takes a permit, or waits for one in a bounded queue; the permit is held until the reply's body ends. A call that no
 * endpoint would admit is refused before it waits, and one that has waited is asked again. This stands outside the
 * breaker: what we refuse ourselves is no evidence about the upstream.
 */
export const limit = (env: Env, capacity: Limit, door: Doorkeeper): Layer => next => {
  const { permits } = capacity
  const ended: Ended = (call, reply, error) => {
    const now = env.clock.now()
    // What this process's own standing still has added to the latency means nothing.
    if (env.clock.stalledAt < call.attemptAt) {
      capacity.learn({
        // A streamed body is as slow as its reader: its headers count.
        latency: call.streamed && reply !== undefined ? reply.headersAfter : now - call.attemptAt,
        deadline: call.deadline,
        inFlight: permits.taken,
        healthy: error === undefined && reply?.verdict === 'healthy',
        dropped: reply?.verdict === 'throttled' || (error instanceof TimeoutError && error.verdict !== 'none'),
      }, now)
    }
    permits.release(now)
  }
  return call => {
    const policy = call.policy.limit
    if (!door.admits(call.at)) return rejected(door.refuse(call.trace, call.at))
    if (policy === false) return next(call)
    if (permits.take()) return atEnd(next(call), call, ended)
    if (policy.queue === 0) return rejected(refusal(call, 'no permit', call.at, 'permits', permits.max))
    // What is left when the attempt itself has had its time.
    const patience = Math.min(policy.queueTimeout, call.deadlineAt - call.at - capacity.usual)
    const expected = capacity.expectedWait(call.priority, call.at)
    if (expected > patience) return rejected(refusal(call, 'no permit in sight', call.at, 'wait', patience, expected))
    const places = permits.isOverloaded(call.at) ? Math.min(policy.queue, permits.max) : policy.queue
    if (!permits.makeRoom(places, call.priority, call.at)) return rejected(refusal(call, 'queue full', call.at, 'queue', places))
    return inQueue(call, patience, { env, permits }).then(() => {
      if (door.admits(call.at)) return atEnd(next(call), call, ended)
      permits.release(call.at)
      throw door.refuse(call.trace, call.at)
    })
  }
}

function refusal(call: Call, why: string, now: number, ...bound: [LimitKind, number, number?]): LimitExceededError {
  call.trace.mark(`refused: ${why}`, now)
  return new LimitExceededError(call.trace, ...bound)
}

/** Waits for a permit. Settles at once when the call is ended, and leaves the queue then. */
function inQueue(call: Call, patience: number, { env, permits }: { env: Env; permits: Permits }): Promise<void> {
  const since = call.at
  call.phase = 'queue'
  return new Promise((resolve, reject) => {
    const leave = (): number => {
      timer.cancel()
      permits.leave(waiter)
      call.whenCancelled(undefined)
      const now = env.clock.now()
      call.queued += now - since
      return now
    }
    const waiter = permits.wait(() => {
      const now = leave()
      call.at = now
      call.trace.mark(`waited ${Math.round(now - since)} ms for a permit`, now)
      resolve()
    }, () => {
      reject(refusal(call, 'displaced from the queue', leave(), 'queue', permits.queued))
    }, since, call.priority)
    const timer = env.clock.after(patience, () => {
      reject(refusal(call, 'no permit in time', leave(), 'queue timeout', patience))
    })
    call.whenCancelled(reason => {
      leave()
      reject(reason)
    })
  })
}
