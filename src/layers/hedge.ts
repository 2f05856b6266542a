import { SUPERSEDED, type Call } from '../call/call.ts'
import type { Layer, Send } from '../call/layer.ts'
import type { Env } from '../clock.ts'
import { channels } from '../events.ts'
import { isOneShot } from '../http/body.ts'
import { UpstreamError } from '../outcome/errors.ts'
import type { Reply } from '../outcome/reply.ts'
import { failed } from '../outcome/verdict.ts'
import { Percentile } from '../upstream/latency/percentile.ts'
import { upstreamOf } from '../upstream/of-call.ts'

/**
 * Sends a second attempt beside an attempt that takes longer than nearly all others, and gives the caller the first
 * good reply ("The Tail at Scale", Dean and Barroso, CACM 2013); the other attempt is cancelled. Only repeatable calls
 * are hedged, only if a second permit is free, and only if the retry budget pays. The cost is not given back: with the
 * default options at most seven calls in a hundred are hedged.
 */
export const hedge = (env: Env): Layer => next => call => {
  const policy = call.settings.hedge
  if (policy === false || !call.settings.idempotent || isOneShot(call.body)) return next(call)
  const upstream = upstreamOf(call)
  if (upstream.latencies?.share !== policy.percentile) upstream.latencies = new Percentile(policy.percentile)
  const { latencies } = upstream
  const delay = latencies.count < policy.minimumCalls ? Infinity : latencies.value
  return new Race(call, { env, next, latencies }, delay).result
}

/** What the attempts of a race need. */
interface Track {
  readonly env: Env
  /** Makes an attempt. */
  readonly next: Send
  /** How long attempts of the upstream take. */
  readonly latencies: Percentile
}

/** How an attempt ended. */
interface AttemptOutcome {
  readonly attempt: Call
  readonly reply?: Reply
  readonly error?: unknown
}

/** An attempt, and a second one beside it if the first takes longer than `delay`. */
class Race {
  readonly result: Promise<Reply>
  readonly #track: Track
  readonly #call: Call
  readonly #running = new Set<Call>()
  #decide!: (outcome: AttemptOutcome) => void
  /** The outcome of the attempt that failed while the other is in flight. */
  #failed: AttemptOutcome | undefined

  constructor(call: Call, track: Track, delay: number) {
    this.#track = track
    this.#call = call
    const { clock } = track.env
    this.#run(call)
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
    this.#track.next(attempt).then(
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
      const { client = '' } = this.#track.env
      const { number, upstream, attempts } = trace
      trace.inContext(() => {
        channels.hedge.publish({ client, call: number, upstream, method, attempt: attempts + 1, delay })
      })
    }
    this.#run(call.fork(now))
  }

  #ended(outcome: AttemptOutcome): void {
    const { attempt, reply } = outcome
    const { env: { clock }, latencies } = this.#track
    const { capacity: { permits } } = upstreamOf(attempt)
    // The cancelled attempt.
    if (!this.#running.delete(attempt)) {
      reply?.discard()
      return
    }
    const now = clock.now()
    const [other] = this.#running
    // The second permit is returned when the first of the two attempts ends.
    if (other !== undefined) permits.release(now)
    if (reply !== undefined && !failed(reply.verdict)) {
      if (clock.stalledAt < attempt.attemptAt) latencies.record(now - attempt.attemptAt)
      this.#failed?.reply?.discard()
      if (other !== undefined) this.#supersede(other, now)
      this.#decide(outcome)
    } else if (other === undefined) this.#decide(this.#reported(outcome))
    else this.#failed = outcome
  }

  /** Cancels the slower attempt. Its duration so far is recorded: otherwise only fast attempts would be. */
  #supersede(other: Call, now: number): void {
    this.#running.delete(other)
    this.#track.latencies.record(now - other.attemptAt)
    other.interrupt(SUPERSEDED)
  }

  /** The failure to report: that of an attempt which the upstream may have seen, the first if it may have seen both. */
  #reported(last: AttemptOutcome): AttemptOutcome {
    if (this.#failed === undefined) return last
    const [reported, other] = wasSent(this.#failed) ? [this.#failed, last] : [last, this.#failed]
    other.reply?.discard()
    return reported
  }
}

const wasSent = ({ reply, error }: AttemptOutcome): boolean =>
  reply !== undefined || (error instanceof UpstreamError && error.sent !== 'never')
