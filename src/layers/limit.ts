import type { Call } from '../call.ts'
import type { Env } from '../clock.ts'
import { LimitExceededError, type RejectedError } from '../errors.ts'
import type { Layer } from '../layer.ts'
import type { LimitPolicy } from '../options.ts'
import type { Permits } from '../policy/permits.ts'
import { atEnd, rejected } from '../sent.ts'
import type { Trace } from '../trace.ts'

/** Knows whether some endpoint would admit a call, and refuses it if not. */
export interface Doorkeeper {
  admits(now: number): boolean
  refuse(trace: Trace, now: number): RejectedError
}

/**
 * Takes a permit, or waits for one in a bounded queue; the permit is held until the reply's body ends. A call that no
 * endpoint would
 * admit is refused before it waits, and one that has waited is asked again. This stands outside the breaker: what we
 * refuse
 * ourselves is no evidence about the upstream.
 */
export const limit = (env: Env, permits: Permits, door: Doorkeeper): Layer => next => {
  const release = (): void => { permits.release() }
  return call => {
    const policy = call.policy.limit
    if (!door.admits(call.at)) return rejected(door.refuse(call.trace, call.at))
    if (policy === false) return next(call)
    if (permits.take()) return atEnd(next(call), call, release)
    if (permits.queued >= policy.queue) return rejected(full(call, policy, call.at))
    return inQueue(call, policy, { env, permits }).then(() => {
      if (door.admits(call.at)) return atEnd(next(call), call, release)
      release()
      throw door.refuse(call.trace, call.at)
    })
  }
}

function full(call: Call, policy: LimitPolicy, now: number): LimitExceededError {
  call.trace.mark('refused: queue full', now)
  return policy.queue === 0
    ? new LimitExceededError(call.trace, 'permits', policy.max)
    : new LimitExceededError(call.trace, 'queue', policy.queue)
}

/** Waits for a permit. Settles at once when the call is ended, and leaves the queue then. */
function inQueue(call: Call, policy: LimitPolicy, { env, permits }: { env: Env; permits: Permits }): Promise<void> {
  const since = call.at
  call.phase = 'queue'
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      timer.cancel()
      permits.leave(waiter)
      call.whenCancelled(undefined)
    }
    const waiter = permits.wait(() => {
      leave()
      const now = env.clock.now()
      call.at = now
      call.queued += now - since
      call.trace.mark(`waited ${Math.round(now - since)} ms for a permit`, now)
      resolve()
    })
    const timer = env.clock.after(policy.queueTimeout, () => {
      leave()
      call.trace.mark('refused: no permit in time', env.clock.now())
      reject(new LimitExceededError(call.trace, 'queue timeout', policy.queueTimeout))
    })
    call.whenCancelled(reason => {
      leave()
      reject(reason)
    })
  })
}
