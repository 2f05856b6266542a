import type { Sent, Verdict } from './verdict.ts'

/** Why no further attempt was made. */
export type StopReason = 'limit' | 'budget' | 'deadline' | 'not repeatable' | 'circuit open' | 'queue full' | 'draining'

/**
 * What a call is waiting for. `caller`: for the caller itself, to give more of a streamed request body or to take more of a
 * streamed reply. `shared call`: for the equal call whose flight it shares.
 */
export type Phase = 'queue' | 'connect' | 'headers' | 'body' | 'back-off' | 'caller' | 'shared call'

/** One line of what happened to a call. */
export interface TimelineEntry {
  /** ms since the call began. */
  readonly at: number
  /** What happened then, in words. */
  readonly event: string
}

/** What every error can say about its call. Nothing here holds a header, a body, a query or a credential. */
export interface CallReport {
  /** The upstream's name, or its origin if it has none. */
  readonly upstream: string
  /** The method of the call, in upper case. */
  readonly method: string
  /** The path without its query. */
  readonly path: string
  /** How many attempts were made. */
  readonly attempts: number
  /** How long the call took, in ms. */
  readonly elapsed: number
  /** What happened, in order; at most 64 entries. */
  readonly timeline: readonly TimelineEntry[]
}

const canHideStack = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable === true

/** Gives way to `canHideStack`: with frozen intrinsics the limit can't be set, and stacks are kept. */
function setStackLimit(limit: number): number {
  const before = Error.stackTraceLimit
  if (canHideStack) Error.stackTraceLimit = limit
  return before
}

export const round = (ms: number): string => (ms < 10 ? String(Math.round(ms * 10) / 10) : String(Math.round(ms)))

/** The classes' names as they are written, by code: a bundler may shorten them, and a log is to say what happened. */
const NAMES: Readonly<Record<string, string>> = {
  ERR_CIRCUIT_OPEN: 'CircuitOpenError', ERR_LIMIT_EXCEEDED: 'LimitExceededError', ERR_DRAINING: 'DrainingError',
  ERR_DEADLINE_EXCEEDED: 'DeadlineExceededError', ERR_ATTEMPT_TIMEOUT: 'AttemptTimeoutError',
  ERR_CONNECTION: 'ConnectionError', ERR_BAD_RESPONSE: 'ResponseError', ERR_STATUS: 'StatusError',
}

/**
 * What a call ends with when it does not end with a reply. The message says which upstream, what was tried, why it
 * stopped and, if known, when it will be tried again; it is put together when read. There is no stack: these errors
 * begin in sockets and timers, where a stack tells nothing about the caller, and taking one is most of the cost of a
 * refusal.
 */
export abstract class UpstreamError extends Error {
  /** Stable, e.g. `ERR_CIRCUIT_OPEN`. */
  abstract readonly code: string
  /** Whether the upstream's application can have seen the call: 'never' means it is safe to send elsewhere. */
  readonly sent: Sent
  /** What it proves about the endpoint. */
  readonly verdict: Verdict
  /** Why no further attempt was made, if one was considered. */
  stopped: StopReason | undefined = undefined
  #report: CallReport
  #fallback: { readonly error: unknown; readonly entry: TimelineEntry } | undefined = undefined
  /** What went wrong, in words; the rest of the message is added around it. */
  protected abstract readonly summary: string

  constructor(report: CallReport, sent: Sent, verdict: Verdict, cause?: unknown) {
    const limit = setStackLimit(0)
    super()
    setStackLimit(limit)
    if (cause !== undefined) Object.defineProperty(this, 'cause', { value: cause, configurable: true, writable: true })
    this.#report = report
    this.sent = sent
    this.verdict = verdict
  }

  /** The upstream's name, or its origin if it has none. */
  get upstream(): string {
    return this.#report.upstream
  }

  /** The method of the call, in upper case. */
  get method(): string {
    return this.#report.method
  }

  /** The path of the call, without its query. */
  get path(): string {
    return this.#report.path
  }

  /** How many attempts were made; 0 when the call never left this process. */
  get attempts(): number {
    return this.#report.attempts
  }

  /** How long the call took, in ms. */
  get elapsed(): number {
    return this.#report.elapsed
  }

  /** What happened, in order: attempts, waits and decisions. */
  get timeline(): readonly TimelineEntry[] {
    const { timeline } = this.#report
    return this.#fallback === undefined ? timeline : [...timeline, this.#fallback.entry]
  }

  /** What the fallback failed with, if there was one and it did. Not among the error's own properties nor in `toJSON()`. */
  get fallbackError(): unknown {
    return this.#fallback?.error
  }

  /** Notes that the fallback failed, `at` ms after the call began; by name only, as what it says may be secret. @internal */
  fallbackFailed(error: unknown, at: number): void {
    this.#fallback = { error, entry: { at, event: `fallback failed: ${error instanceof Error ? error.name : typeof error}` } }
  }

  /** Notes that an earlier attempt of the call may have been sent, though the one that this error ended was not. @internal */
  sentEarlier(): void {
    if (this.sent === 'never') Object.defineProperty(this, 'sent', { value: 'maybe' satisfies Sent })
  }

  /** The name of the class. */
  override get name(): string {
    return NAMES[this.code] ?? this.constructor.name
  }

  /** What happened and why it was not tried again, in a line; put together when read. */
  override get message(): string {
    const { upstream, method, path, attempts, elapsed } = this.#report
    const tried = attempts === 0 ? 'no attempt' : attempts === 1 ? '1 attempt' : `${attempts} attempts`
    const stopped = this.stopped === undefined ? '' : `; not tried again: ${this.stopped}`
    return `${method} ${path} on ${upstream}: ${this.summary} (${tried}, ${round(elapsed)} ms${stopped})`
  }

  /** What a structured log should hold. */
  toJSON(): Record<string, unknown> {
    const { upstream, method, path, attempts, elapsed, timeline } = this
    return {
      name: this.name, code: this.code, message: this.message, upstream, method, path, attempts, elapsed,
      sent: this.sent, ...(this.stopped === undefined ? {} : { stopped: this.stopped }), timeline,
    }
  }
}
