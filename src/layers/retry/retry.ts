import pRetry, { type RetryContext } from 'p-retry'
import { Failed, onSettle, orThrow, type Settle } from '../../call/completion.ts'
import type { Call } from '../../call/call.ts'
import type { Layer, Send } from '../../call/layer.ts'
import type { Env } from '../../clock.ts'
import { channels } from '../../events.ts'
import type { RetryPolicy } from '../../options/policy.ts'
import { DeadlineExceededError, RejectedError, StatusError, UpstreamError, type StopReason } from '../../outcome/errors.ts'
import type { Reply } from '../../outcome/reply.ts'
import { failed } from '../../outcome/verdict.ts'
import { upstreamOf } from '../../upstream/of-call.ts'
import { backoff } from './backoff.ts'

/**
 * Makes further attempts after a failure while the call may be repeated, the wait fits the deadline, the circuit will
 * admit it, and the retry budget pays. When no further attempt is made, the caller gets the last real failure, which
 * says why.
 *
 * p-retry runs the attempts: it counts them, ends at the limit, and asks its hooks in order. What decides and what
 * waits is ours (docs/decisions/0002-p-retry.md). It is entered with the first failure in hand, so a call that succeeds
 * at once does not pay for it.
 */
export const retry = (env: Env): Layer => next => {
  const settle: Settle = (call, reply, error) => {
    const policy = call.settings.retry
    if (policy === false) return undefined
    const failure = reply === undefined ? error : failureOf(reply, call, policy)
    if (isRetryable(failure)) return retryAfterFirst(failure, { env, next, call, policy })
    if (reply !== undefined && !failed(reply.verdict)) upstreamOf(call).budget.deposit(0)
    return undefined
  }
  return call => (call.settings.retry === false ? next(call) : onSettle(next(call), call, settle))
}

/** A call whose first attempt has failed. */
interface FailedCall {
  readonly env: Env
  /** Makes an attempt. */
  readonly next: Send
  readonly call: Call
  readonly policy: RetryPolicy
}

/** The stop reason of a refusal; any other refusal is the limit's. */
const REFUSALS: Readonly<Record<string, StopReason>> = { ERR_CIRCUIT_OPEN: 'circuit open', ERR_DRAINING: 'draining' }

/** A reply whose status is listed in `retry.statuses`, as an error. */
const failureOf = (reply: Reply, call: Call, policy: RetryPolicy): UpstreamError | undefined =>
  policy.statuses.includes(reply.status) ? StatusError.of(call.trace, reply) : undefined

/**
 * Whether another attempt could end differently: not after a refusal, a passed deadline, or the caller's own abort or
 * mistake. A StatusError is always retryable here: it exists only because its status is listed.
 */
const isRetryable = (error: unknown): error is UpstreamError =>
  error instanceof UpstreamError && !(error instanceof RejectedError) && !(error instanceof DeadlineExceededError)
  && (error instanceof StatusError || error.verdict !== 'healthy') && error.stopped === undefined

/** Whether a call may be sent again after this failure. */
const isRepeatable = (error: UpstreamError, call: Call): boolean =>
  call.replayable && (call.settings.idempotent || error.sent === 'never')

/** Continues after the first failure. A call that cannot have a second attempt does not enter p-retry. */
function retryAfterFirst(first: UpstreamError, failedCall: FailedCall): Promise<Reply> | Reply | Failed {
  if (!isRepeatable(first, failedCall.call)) return stopRetrying(first, 'not repeatable', failedCall)
  return failedCall.policy.limit === 0 ? stopRetrying(first, 'limit', failedCall) : attempts(first, failedCall)
}

/** All attempts after the first. */
async function attempts(first: UpstreamError, failedCall: FailedCall): Promise<Reply> {
  const { env, next, call, policy } = failedCall
  const { budget } = upstreamOf(call)
  let last = first
  let { sent } = first
  let thrown: unknown = first
  // It is p-retry that ends at the limit; whatever else ends it says so.
  let stopped: StopReason = 'limit'
  let spent = 0

  const attempt = async (number: number): Promise<Reply> => {
    if (number === 1) throw first
    call.at = env.clock.now()
    // p-retry makes an Error of whatever is none; the caller is to get its own reason.
    const reply = await next(call).catch((error: unknown) => { throw thrown = error })
    const failure = failureOf(reply, call, policy)
    if (failure === undefined) return reply
    throw failure
  }
  const onFailedAttempt = ({ error }: RetryContext): void => {
    if (!isRetryable(error)) return
    last = error
    if (error.sent !== 'never') ({ sent } = error)
  }
  const shouldRetry = async ({ error, attemptNumber }: RetryContext): Promise<boolean> => {
    if (!isRetryable(error)) return false
    const wait = delay(error, attemptNumber, failedCall)
    const reason = stopReason(error, wait, failedCall)
    if (reason !== undefined) {
      stopped = reason
      return false
    }
    spent = budget.withdraw(error.verdict === 'throttled')
    if (spent === 0) {
      stopped = 'budget'
      return false
    }
    if (error instanceof StatusError) error.reply.discard()
    await pause(wait, failedCall)
    return true
  }

  try {
    const reply = await pRetry(attempt, { retries: policy.limit, minTimeout: 0, onFailedAttempt, shouldRetry })
    if (!failed(reply.verdict)) budget.deposit(spent)
    return reply
  } catch (error) {
    if (call.cancelled) throw call.reason
    // A refusal came after the wait, as the circuit had opened or the queue filled up: the failure before it is the
    // real one.
    if (error instanceof RejectedError) stopped = REFUSALS[error.code] ?? 'queue full'
    else if (!isRetryable(error)) throw thrown
    if (sent !== 'never') last.sentEarlier()
    return orThrow(stopRetrying(last, stopped, failedCall))
  }
}

/**
 * How long to wait before the next attempt, in ms: as long as a Retry-After asks for, else back-off with full jitter.
 */
function delay(error: UpstreamError, attempt: number, { env, policy, call }: FailedCall): number {
  if (error instanceof StatusError && error.reply.retryAfter !== undefined) return error.reply.retryAfter
  const base = error.verdict === 'throttled' ? policy.throttledBackoff : policy.backoff
  // Late in a call the jitter is drawn from the time that remains, so that a long wait does not cost the last attempt.
  const room = call.deadlineAt - env.clock.now() - 2 * call.usualLatency
  return backoff(attempt, base, room > base ? Math.min(policy.maxBackoff, room) : policy.maxBackoff, env.random)
}

/** Why there must be no further attempt, budget aside: it is asked last, as asking it withdraws from it. */
function stopReason(error: UpstreamError, wait: number, { env, call }: FailedCall): StopReason | undefined {
  if (!isRepeatable(error, call)) return 'not repeatable'
  const now = env.clock.now()
  if (now + wait + call.usualLatency > call.deadlineAt) return 'deadline'
  return upstreamOf(call).endpoints.opensIn(now) > wait ? 'circuit open' : undefined
}

/** Waits on our clock; rejects with the reason as soon as the call is ended from outside. */
function pause(wait: number, { env, call }: FailedCall): Promise<void> {
  const { trace } = call
  const { backingOff } = upstreamOf(call)
  backingOff.add(call)
  trace.mark(`back-off of ${Math.round(wait)} ms`, env.clock.now())
  if (channels.retry.hasSubscribers) {
    const { client = '' } = env
    const { number, upstream, attempts } = trace
    trace.inContext(() => {
      channels.retry.publish({ client, call: number, upstream, method: call.method, attempt: attempts + 1, delay: wait })
    })
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

/** Ends the call with its last real failure; a StatusError is handed on as its reply. */
function stopRetrying(last: UpstreamError, stopped: StopReason, { env, call }: FailedCall): Reply | Failed {
  const { trace } = call
  trace.mark(`not tried again: ${stopped}`, env.clock.now())
  if (channels.retryStopped.hasSubscribers) {
    const { client = '' } = env
    const { number, upstream, attempts } = trace
    trace.inContext(() => {
      channels.retryStopped.publish({ client, call: number, upstream, method: call.method, attempts, reason: stopped })
    })
  }
  last.stopped = stopped
  return last instanceof StatusError ? last.reply : new Failed(last)
}
