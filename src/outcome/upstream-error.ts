import type { Sent, Verdict } from './verdict.ts'

/** Why a call was not retried. */
export type StopReason = 'limit' | 'budget' | 'deadline' | 'not repeatable' | 'circuit open' | 'queue full' | 'draining'

/** The stop reasons as messages have them; each contains its code. */
const WHY_STOPPED: Readonly<Record<StopReason, string>> = {
  'limit': 'retry limit reached', 'budget': 'retry budget exhausted', 'deadline': 'deadline too close',
  'not repeatable': 'request not repeatable', 'circuit open': 'circuit open', 'queue full': 'queue full',
  'draining': 'client draining',
}

/**
 * What a call is waiting for. `caller`: the caller itself, which has to write more of a streamed request body or read more of
 * a streamed reply. `shared call`: the identical call in flight whose reply it shares.
 */
export type Phase = 'queue' | 'connect' | 'headers' | 'body' | 'back-off' | 'caller' | 'shared call'

/** The phases as messages and timelines have them; each contains its code. */
export const DURING: Readonly<Record<Phase, string>> = {
  'queue': 'in the queue for a permit', 'connect': 'during connect', 'headers': 'waiting for response headers',
  'body': 'reading the response body', 'back-off': 'in back-off before a retry', 'caller': 'waiting for the caller',
  'shared call': 'waiting for a shared call',
}

/** One entry of a call's timeline. */
export interface TimelineEntry {
  /** Time since the start of the call, in ms. */
  readonly at: number
  /** What happened, in words. */
  readonly event: string
}

/** What every error reports about its call. It never holds a header, a body, a query or a credential. */
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

/** Sets the stack trace limit where that is possible: with frozen intrinsics it is not, and errors keep their stacks. */
function setStackLimit(limit: number): number {
  const before = Error.stackTraceLimit
  if (canHideStack) Error.stackTraceLimit = limit
  return before
}

export const round = (ms: number): string => (ms < 10 ? String(Math.round(ms * 10) / 10) : String(Math.round(ms)))

/** The names of the classes, by code, for logs: a minifier may shorten the names in the code. */
const NAMES: Readonly<Record<string, string>> = {
  ERR_CIRCUIT_OPEN: 'CircuitOpenError', ERR_LIMIT_EXCEEDED: 'LimitExceededError', ERR_DRAINING: 'DrainingError',
  ERR_DEADLINE_EXCEEDED: 'DeadlineExceededError', ERR_ATTEMPT_TIMEOUT: 'AttemptTimeoutError',
  ERR_CONNECTION: 'ConnectionError', ERR_BAD_RESPONSE: 'ResponseError', ERR_STATUS: 'StatusError',
}

/**
 * The base class of the errors a call can end with. The message says which upstream was called, what was tried, why the
 * call was not retried and, if known, when to try again; it is composed when read. The error has no stack: it originates in
 * sockets and timers, where a stack says nothing about the caller, and capturing one is most of the cost of a refusal.
 */
export abstract class UpstreamError extends Error {
  /** Stable, e.g. `ERR_CIRCUIT_OPEN`. */
  abstract readonly code: string
  /** Whether the upstream's application can have seen the call: 'never' means it is safe to send elsewhere. */
  readonly sent: Sent
  /** What it proves about the endpoint. */
  readonly verdict: Verdict
  /** Why the call was not retried, if a retry was considered. */
  stopped: StopReason | undefined = undefined
  #report: CallReport
  #fallback: { readonly error: unknown; readonly entry: TimelineEntry } | undefined = undefined
  /** What went wrong, in words; `message` adds the rest. */
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

  /** The error the fallback failed with, if there was a fallback and it failed. Neither an own property nor in `toJSON()`. */
  get fallbackError(): unknown {
    return this.#fallback?.error
  }

  /**
   * Records that the fallback failed, `at` ms after the start of the call. The timeline shows only the name of its error, as the
   * message may be secret. @internal
   */
  fallbackFailed(error: unknown, at: number): void {
    this.#fallback = { error, entry: { at, event: `fallback failed: ${error instanceof Error ? error.name : typeof error}` } }
  }

  /** Notes that an earlier attempt of the call may have been sent, though the attempt that this error ended was not. @internal */
  sentEarlier(): void {
    if (this.sent === 'never') Object.defineProperty(this, 'sent', { value: 'maybe' satisfies Sent })
  }

  /** The name of the class. */
  override get name(): string {
    return NAMES[this.code] ?? this.constructor.name
  }

  /** What happened and why the call was not retried, in one line; composed when read. */
  override get message(): string {
    const { upstream, method, path, attempts, elapsed } = this.#report
    const tried = attempts === 0 ? 'no attempt' : attempts === 1 ? '1 attempt' : `${attempts} attempts`
    const stopped = this.stopped === undefined ? '' : `; gave up: ${WHY_STOPPED[this.stopped]}`
    return `${method} ${path} on ${upstream}: ${this.summary} (${tried} in ${round(elapsed)} ms${stopped})`
  }

  /** The fields for a structured log. */
  toJSON(): Record<string, unknown> {
    const { upstream, method, path, attempts, elapsed, timeline } = this
    return {
      name: this.name, code: this.code, message: this.message, upstream, method, path, attempts, elapsed,
      sent: this.sent, ...(this.stopped === undefined ? {} : { stopped: this.stopped }), timeline,
    }
  }
}
