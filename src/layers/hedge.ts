import { SUPERSEDED, type Call } from '../call/call.ts'
import { isOneShot } from '../http/body.ts'
import type { Env } from '../clock.ts'
import { UpstreamError } from '../outcome/errors.ts'
import { channels } from '../events.ts'
import type { Layer, Send } from '../call/layer.ts'
import type { HedgePolicy } from '../options/policy.ts'
import { upstreamOf } from '../upstream/of-call.ts'
import { Percentile } from '../upstream/latency/percentile.ts'
import { failed } from '../outcome/verdict.ts'
import type { Reply } from '../outcome/reply.ts'

/**
 * Sends a second attempt beside one that takes longer than nearly all do, and gives the caller whichever comes back well first
 * ("The Tail at Scale", Dean and Barroso, CACM 2013). The other one is cancelled. Only for calls that may be repeated; only with
 * a permit of its own that is free at once, and only if the retry budget pays, which is not given back: at defaults seven calls
 * in a hundred at most have a second attempt.
 */
export const hedge = (env: Env): Layer => next => call => {
  const policy = call.settings.hedge
  if (policy === false || !call.settings.idempotent || isOneShot(call.body)) return next(call)
  const parts = upstreamOf(call)
  if (parts.latencies?.share !== policy.percentile) parts.latencies = new Percentile(policy.percentile)
  return new Race(env, next, parts.latencies, call, policy).result
}

/** How an attempt ended. */
interface AttemptOutcome {
  readonly attempt: Call
  readonly reply?: Reply
  readonly error?: unknown
}

/** One attempt, and perhaps a second one beside it. */
class Race {
  readonly result: Promise<Reply>
  readonly #env: Env
  readonly #next: Send
  readonly #latencies: Percentile
  readonly #call: Call
  readonly #running = new Set<Call>()
  #decide!: (outcome: AttemptOutcome) => void
  /** The first to end badly, while the other is out. */
  #failed: AttemptOutcome | undefined

  constructor(env: Env, next: Send, latencies: Percentile, call: Call, { minimumCalls }: HedgePolicy) {
    this.#env = env
    this.#next = next
    this.#latencies = latencies
    this.#call = call
    const { clock } = env
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
    this.#next(attempt).then(
      reply => { this.#ended({ attempt, reply }) },
      (error: unknown) => { this.#ended({ attempt, error }) },
    )
  }

  #hedge(now: number, delay: number): void {
    const call = this.#call
    const { budget, capacity: { permits }, endpoints } = upstreamOf(call)
    if (call.cancelled || now + call.usualLatency > call.deadlineAt || !endpoints.admits(now) || !permits.take()) return
    if (budget.withdraw(false) === 0) {
      permits.release(now)
      return
    }
    const { trace, method } = call
    trace.mark(`hedged after ${Math.round(delay)} ms`, now)
    if (channels.hedge.hasSubscribers) {
      const { client = '' } = this.#env
      channels.hedge.publish({ client, call: trace.number, upstream: trace.upstream, method, attempt: trace.attempts + 1, delay })
    }
    this.#run(call.fork(now))
  }

  #ended(outcome: AttemptOutcome): void {
    const { attempt, reply } = outcome
    const { clock } = this.#env
    const { capacity: { permits } } = upstreamOf(attempt)
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
      if (clock.stalledAt < attempt.attemptAt) this.#latencies.record(now - attempt.attemptAt)
      this.#failed?.reply?.discard()
      if (other !== undefined) this.#supersede(other, now)
      this.#decide(outcome)
    } else if (other === undefined) this.#decide(this.#real(outcome))
    else this.#failed = outcome
  }

  /** Cancels the slower one. That it took so long, at least, is known now, and counts: else only the quick would be known. */
  #supersede(other: Call, now: number): void {
    this.#running.delete(other)
    this.#latencies.record(now - other.attemptAt)
    other.interrupt(SUPERSEDED)
  }

  /** Which of two failures to tell: the one that the upstream may have seen, of both the first. */
  #real(last: AttemptOutcome): AttemptOutcome {
    if (this.#failed === undefined) return last
    const [told, untold] = wasSent(this.#failed) ? [this.#failed, last] : [last, this.#failed]
    untold.reply?.discard()
    return told
  }
}

const wasSent = ({ reply, error }: AttemptOutcome): boolean =>
  reply !== undefined || (error instanceof UpstreamError && error.sent !== 'never')
