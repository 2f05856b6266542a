import { isOneShot, SUPERSEDED, type Call } from '../call.ts'
import type { Env } from '../clock.ts'
import { UpstreamError } from '../errors.ts'
import { channels } from '../events.ts'
import type { Layer, Send } from '../layer.ts'
import type { HedgePolicy } from '../options.ts'
import type { Budget } from '../policy/budget.ts'
import { Percentile } from '../policy/percentile.ts'
import type { Permits } from '../policy/permits.ts'
import { failed } from '../policy/verdict.ts'
import type { Reply } from '../reply.ts'

/** Knows whether some endpoint would admit an attempt. */
export interface Door {
  admits(now: number): boolean
}

/**
 * Sends a second attempt beside one that takes longer than nearly all do, and gives the caller whichever comes back well first
 * ("The Tail at Scale", Dean and Barroso, CACM 2013). The other one is cancelled. Only for calls that may be repeated; only with
 * a permit of its own that is free at once, and only if the retry budget pays, which is not given back: at defaults seven calls
 * in a hundred at most have a second attempt.
 */
export const hedge = (env: Env, budget: Budget, permits: Permits, door: Door): Layer => next => {
  let latencies: Percentile | undefined
  let share = 0
  return call => {
    const policy = call.hedge
    if (policy === false || !call.idempotent || isOneShot(call.body)) return next(call)
    if (latencies === undefined || share !== policy.percentile) {
      share = policy.percentile
      latencies = new Percentile(share)
    }
    return new Race({ env, budget, permits, door, next, latencies }, call, policy).result
  }
}

interface Parts {
  readonly env: Env
  readonly budget: Budget
  readonly permits: Permits
  readonly door: Door
  readonly next: Send
  readonly latencies: Percentile
}

/** How an attempt ended. */
interface Outcome {
  readonly attempt: Call
  readonly reply?: Reply
  readonly error?: unknown
}

/** One attempt, and perhaps a second one beside it. */
class Race {
  readonly result: Promise<Reply>
  readonly #parts: Parts
  readonly #call: Call
  readonly #running = new Set<Call>()
  #decide!: (outcome: Outcome) => void
  /** The first to end badly, while the other is out. */
  #failed: Outcome | undefined

  constructor(parts: Parts, call: Call, { minimumCalls }: HedgePolicy) {
    this.#parts = parts
    this.#call = call
    const { env: { clock }, latencies } = parts
    this.#run(call)
    const delay = latencies.count < minimumCalls ? Infinity : latencies.value
    const timer = clock.after(delay, () => { this.#hedge(clock.now(), delay) })
    this.result = new Promise((resolve, reject) => {
      this.#decide = ({ reply, error }) => {
        timer.cancel()
        if (reply === undefined) reject(error)
        else resolve(reply)
      }
    })
  }

  #run(attempt: Call): void {
    this.#running.add(attempt)
    this.#parts.next(attempt).then(
      reply => { this.#ended({ attempt, reply }) },
      (error: unknown) => { this.#ended({ attempt, error }) },
    )
  }

  #hedge(now: number, delay: number): void {
    const { env, budget, permits, door } = this.#parts
    const call = this.#call
    if (call.cancelled || now + call.usualLatency > call.deadlineAt || !door.admits(now) || !permits.take()) return
    if (budget.withdraw(false) === 0) {
      permits.release(now)
      return
    }
    const { trace, method } = call
    trace.mark(`hedged after ${Math.round(delay)} ms`, now)
    if (channels.hedge.hasSubscribers) {
      const { client = '' } = env
      channels.hedge.publish({ client, call: trace.number, upstream: trace.upstream, method, attempt: trace.attempts + 1, delay })
    }
    this.#run(call.fork(now))
  }

  #ended(outcome: Outcome): void {
    const { attempt, reply } = outcome
    const { env: { clock }, latencies, permits } = this.#parts
    // The one that was cancelled.
    if (!this.#running.delete(attempt)) {
      reply?.discard()
      return
    }
    const now = clock.now()
    const [other] = this.#running
    // The second permit goes back with the first of the two to end.
    if (other !== undefined) permits.release(now)
    if (reply !== undefined && !failed(reply.verdict)) {
      if (clock.stalledAt < attempt.attemptAt) latencies.record(now - attempt.attemptAt)
      this.#failed?.reply?.discard()
      if (other !== undefined) this.#supersede(other, now)
      this.#decide(outcome)
    } else if (other === undefined) this.#decide(this.#real(outcome))
    else this.#failed = outcome
  }

  /** Cancels the slower one. That it took so long, at least, is known now, and counts: else only the quick would be known. */
  #supersede(other: Call, now: number): void {
    this.#running.delete(other)
    this.#parts.latencies.record(now - other.attemptAt)
    other.interrupt(SUPERSEDED)
  }

  /** Which of two failures to tell: the one that the upstream may have seen, of both the first. */
  #real(last: Outcome): Outcome {
    if (this.#failed === undefined) return last
    const [told, untold] = wasSent(this.#failed) ? [this.#failed, last] : [last, this.#failed]
    untold.reply?.discard()
    return told
  }
}

const wasSent = ({ reply, error }: Outcome): boolean =>
  reply !== undefined || (error instanceof UpstreamError && error.sent !== 'never')
