import pRetry from 'p-retry'
import type { Call } from '../../call/call.ts'
import type { Env } from '../../clock.ts'
import { DeadlineExceededError, RejectedError, StatusError, UpstreamError, type StopReason } from '../../outcome/errors.ts'
import { channels } from '../../events.ts'
import type { Layer, Send } from '../../call/layer.ts'
import type { RetryPolicy } from '../../options/policy.ts'
import { upstreamOf } from '../../upstream/of-call.ts'
import { backoff } from './backoff.ts'
import { failed, type Sent } from '../../outcome/verdict.ts'
import type { Reply } from '../../outcome/reply.ts'
import { Failed, orThrow, onSettle, type Settle } from '../../call/completion.ts'

/**
 * Tries again: while the call may be repeated, it fits the deadline, the circuit lets it and the budget pays. p-retry
 * counts the attempts; the wait is ours, on our clock, and ends at once when the call is ended. When no further attempt
 * is made the caller gets the last real failure, which says why.
 *
 * p-retry is entered with the first failure in hand: a call that succeeds at once does not pay for it.
 */
export const retry = (env: Env): Layer => next => {
  const settle: Settle = (call, reply, error) => {
    const policy = call.settings.retry
    if (policy === false) return undefined
    const failure = reply === undefined ? error : failureOf(reply, call, policy)
    if (isRetryable(failure)) return again(failure, { env, next, call, policy })
    if (reply !== undefined && !failed(reply.verdict)) upstreamOf(call).budget.deposit(0)
    return undefined
  }
  return call => (call.settings.retry === false ? next(call) : onSettle(next(call), call, settle))
}

/** A call that has failed at its first attempt, and who is to make the next. */
interface Failing {
  readonly env: Env
  readonly next: Send
  readonly call: Call
  readonly policy: RetryPolicy
}

/** Why a refusal meant the end, where it was not the limit's. */
const STOPS: Readonly<Record<string, StopReason>> = { ERR_CIRCUIT_OPEN: 'circuit open', ERR_DRAINING: 'draining' }

/** A reply whose status asks for another attempt, as an error. */
const failureOf = (reply: Reply, call: Call, policy: RetryPolicy): UpstreamError | undefined =>
  policy.statuses.includes(reply.status) ? StatusError.of(call.trace, reply) : undefined

/**
 * Whether another attempt could end differently: not after a refusal, a passed deadline, or a mistake or abort of the
 * caller's. A status is an error here only because it is listed to be retried, whatever it proves.
 */
const isRetryable = (error: unknown): error is UpstreamError =>
  error instanceof UpstreamError && !(error instanceof RejectedError) && !(error instanceof DeadlineExceededError)
  && (error instanceof StatusError || error.verdict !== 'healthy') && error.stopped === undefined

/** Whether a call may be sent again after this failure. */
const isRepeatable = (error: UpstreamError, call: Call): boolean =>
  call.replayable && (call.settings.idempotent || error.sent === 'never')

/** Goes on after the first failure; where there can be no second attempt, p-retry has nothing to count. */
function again(first: UpstreamError, failing: Failing): Promise<Reply> | Reply | Failed {
  if (!isRepeatable(first, failing.call)) return giveUp(first, 'not repeatable', failing)
  return failing.policy.limit === 0 ? giveUp(first, 'limit', failing) : attempts(first, failing)
}

/** Every attempt after the first, and what becomes of the call. */
async function attempts(first: UpstreamError, failing: Failing): Promise<Reply> {
  const { env, next, call, policy } = failing
  const { budget } = upstreamOf(call)
  let last = first
  let stopped: StopReason | undefined
  let spent = 0
  let sent = first.sent

  const attempt = async (number: number): Promise<Reply> => {
    if (number === 1) throw first
    call.at = env.clock.now()
    const reply = await next(call)
    const failure = failureOf(reply, call, policy)
    if (failure === undefined) return reply
    throw failure
  }
  const shouldRetry = async ({ error }: { error: Error }): Promise<boolean> => {
    if (!isRetryable(error)) return false
    last = error
    if (error.sent !== 'never') sent = error.sent
    const wait = delay(error, call.trace.attempts, failing)
    stopped = whyStop(error, wait, failing)
    if (stopped !== undefined) return false
    spent = budget.withdraw(error.verdict === 'throttled')
    if (spent === 0) {
      stopped = 'budget'
      return false
    }
    if (error instanceof StatusError) error.reply.discard()
    await pause(wait, failing)
    return true
  }

  try {
    const reply = await pRetry(attempt, { retries: policy.limit, minTimeout: 0, shouldRetry })
    if (!failed(reply.verdict)) budget.deposit(spent)
    return reply
  } catch (error) {
    if (call.cancelled) throw call.reason
    // The circuit opened, or the queue filled, while it waited: the failure before that is the real one.
    if (error instanceof RejectedError) stopped = STOPS[error.code] ?? 'queue full'
    else if (isRetryable(error)) last = error
    else throw error
    // Whether the call was sent is asked of all its attempts, not of the last one.
    if (last.sent === 'never' && sent !== 'never') (last as { sent: Sent }).sent = 'maybe'
    return orThrow(giveUp(last, stopped ?? 'limit', failing))
  }
}

/** How long to wait before the next attempt, in ms: what the upstream asks for, else back-off with full jitter. */
function delay(error: UpstreamError, attempts: number, { env, policy, call }: Failing): number {
  if (error instanceof StatusError && error.reply.retryAfter !== undefined) return error.reply.retryAfter
  const base = error.verdict === 'throttled' ? policy.throttledBackoff : policy.backoff
  // Late in a call the jitter is drawn from what time remains, so that the last attempt is not given up for a long wait.
  const room = call.deadlineAt - env.clock.now() - 2 * call.usualLatency
  return backoff(attempts, base, room > base ? Math.min(policy.maxBackoff, room) : policy.maxBackoff, env.random)
}

/** Why there must be no further attempt, if so; the budget is asked last, when all else is well. */
function whyStop(error: UpstreamError, wait: number, { env, call }: Failing): StopReason | undefined {
  if (!isRepeatable(error, call)) return 'not repeatable'
  const now = env.clock.now()
  if (now + wait + call.usualLatency > call.deadlineAt) return 'deadline'
  return upstreamOf(call).endpoints.opensIn(now) > wait ? 'circuit open' : undefined
}

/** Waits on our clock; rejects at once with the reason when the call is ended meanwhile. */
function pause(wait: number, { env, call }: Failing): Promise<void> {
  const { trace } = call
  const { backingOff } = upstreamOf(call)
  backingOff.add(call)
  trace.mark(`back-off of ${Math.round(wait)} ms`, env.clock.now())
  if (channels.retry.hasSubscribers) {
    const { client = '' } = env
    const { number, upstream, attempts } = trace
    channels.retry.publish({ client, call: number, upstream, method: call.method, attempt: attempts + 1, delay: wait })
  }
  call.phase = 'back-off'
  return new Promise((resolve, reject) => {
    const timer = env.clock.after(wait, () => {
      backingOff.delete(call)
      call.waitFor(undefined)
      resolve()
    })
    call.waitFor({
      stop: reason => {
        backingOff.delete(call)
        timer.cancel()
        reject(reason)
      },
    })
  })
}

/** Ends the call with its last real failure. A status is handed on as the reply it was. */
function giveUp(last: UpstreamError, stopped: StopReason, { env, call }: Failing): Reply | Failed {
  const { trace } = call
  trace.mark(`not tried again: ${stopped}`, env.clock.now())
  if (channels.retryStopped.hasSubscribers) {
    const { client = '' } = env
    const { number, upstream, attempts } = trace
    channels.retryStopped.publish({ client, call: number, upstream, method: call.method, attempts, reason: stopped })
  }
  last.stopped = stopped
  return last instanceof StatusError ? last.reply : new Failed(last)
}
