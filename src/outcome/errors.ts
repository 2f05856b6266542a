import { OptionError } from './option-error.ts'
import type { Reply, ReplyHeaders } from './reply.ts'
import { round, UpstreamError, type CallReport, type Phase } from './upstream-error.ts'
import type { Sent, Verdict } from './verdict.ts'

export { OptionError } from './option-error.ts'
export { UpstreamError, type CallReport, type StopReason, type TimelineEntry } from './upstream-error.ts'

/** We refused the call ourselves: it never left this process and is safe to send elsewhere. */
export abstract class RejectedError extends UpstreamError {
  /** When to try again, in ms from now; undefined if nobody knows. */
  readonly retryAfter: number | undefined

  constructor(report: CallReport, retryAfter?: number) {
    super(report, 'never', 'none')
    this.retryAfter = retryAfter
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), ...(this.retryAfter === undefined ? {} : { retryAfter: this.retryAfter }) }
  }
}

/** No endpoint of the upstream admits calls: its circuit is open, half-open with all probes out, ramping, or held. */
export class CircuitOpenError extends RejectedError {
  readonly code = 'ERR_CIRCUIT_OPEN'
  /** Why the circuit does not admit the call, e.g. `failure rate`. */
  readonly reason: string

  constructor(report: CallReport, reason: string, retryAfter: number | undefined) {
    super(report, retryAfter)
    this.reason = reason
  }

  protected get summary(): string {
    const when = this.retryAfter === undefined ? '' : `, next probe in ${round(this.retryAfter)} ms`
    return `circuit open: ${this.reason}${when}`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason }
  }
}

/** Which bound a call ran into. */
export type LimitKind = 'permits' | 'queue' | 'queue timeout' | 'wait' | 'bodies' | 'upstreams'

/** There was no permit, and no place to wait for one or no time left to. */
export class LimitExceededError extends RejectedError {
  readonly code = 'ERR_LIMIT_EXCEEDED'
  /** Which bound it was. */
  readonly kind: LimitKind
  /** The value of that bound. */
  readonly limit: number

  constructor(report: CallReport, kind: LimitKind, limit: number, retryAfter?: number) {
    super(report, retryAfter)
    this.kind = kind
    this.limit = limit
  }

  protected get summary(): string {
    switch (this.kind) {
      case 'permits': return `all ${this.limit} permits are taken and there is no queue`
      case 'queue': return `all permits are taken and ${this.limit} calls wait already`
      case 'queue timeout': return `no permit within ${round(this.limit)} ms`
      case 'wait': return `a permit is expected in ${round(this.retryAfter ?? Infinity)} ms, too late for this call`
      case 'bodies': return `${this.limit} bodies are in transit already, sent or read slowly by their callers; raise limit.bodies`
      case 'upstreams': return `all ${this.limit} upstreams are busy or open; raise maxUpstreams`
    }
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), kind: this.kind, limit: this.limit }
  }
}

/** The client or the upstream is being closed and takes no new calls. */
export class DrainingError extends RejectedError {
  readonly code = 'ERR_DRAINING'

  protected get summary(): string {
    return 'the client is closing'
  }
}

/** Time ran out. */
export abstract class TimeoutError extends UpstreamError {
  /** The limit that passed, in ms. */
  readonly timeout: number
  /** What was being waited for. */
  readonly phase: Phase

  constructor(report: CallReport, timeout: number, phase: Phase, sent: Sent, verdict: Verdict) {
    super(report, sent, verdict)
    this.timeout = timeout
    this.phase = phase
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), timeout: this.timeout, phase: this.phase }
  }
}

/** The call's deadline passed. */
export class DeadlineExceededError extends TimeoutError {
  readonly code = 'ERR_DEADLINE_EXCEEDED'

  protected get summary(): string {
    const limit = `${round(this.timeout)} ms`
    return this.phase === 'caller' ? `${limit} passed while the caller was waited for` : `deadline of ${limit} passed in ${this.phase}`
  }
}

/** One attempt took longer than it may. */
export class AttemptTimeoutError extends TimeoutError {
  readonly code = 'ERR_ATTEMPT_TIMEOUT'

  protected get summary(): string {
    return `attempt took longer than ${round(this.timeout)} ms, in ${this.phase}`
  }
}

/**
 * Whose doing a failed connection was. `nobody`: a kept-alive connection had gone stale, or an HTTP/2 stream was never
 * processed.
 */
export type Blame = 'upstream' | 'process' | 'nobody'

/** The connection could not be made or broke; `cause` is undici's or Node's error. */
export class ConnectionError extends UpstreamError {
  readonly code = 'ERR_CONNECTION'
  /** Node's or undici's code, e.g. `ECONNREFUSED`. */
  readonly reason: string
  /**
   * Whose doing it was: the upstream's, this process's own (out of descriptors, ports or memory), or nobody's (a stale
   * connection).
   */
  readonly blame: Blame

  constructor(report: CallReport, reason: string, sent: Sent, blame: Blame, cause: unknown) {
    super(report, sent, blame === 'upstream' ? 'gateway' : 'none', cause)
    this.reason = reason
    this.blame = blame
  }

  protected get summary(): string {
    if (this.stopped === 'draining') return `ended here by destroy() (${this.reason})`
    if (this.blame === 'process') return `this process is out of resources (${this.reason})`
    return this.sent === 'never' ? `could not connect (${this.reason})` : `connection failed (${this.reason})`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason, blame: this.blame }
  }
}

/** The upstream answered with something that is not a complete, valid response within bounds. */
export class ResponseError extends UpstreamError {
  readonly code = 'ERR_BAD_RESPONSE'
  /** What was wrong with it. */
  readonly reason: string

  constructor(report: CallReport, reason: string, verdict: Verdict, cause?: unknown) {
    super(report, 'maybe', verdict, cause)
    this.reason = reason
  }

  protected get summary(): string {
    return `bad response: ${this.reason}`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason }
  }
}

/** The upstream answered with a status of 400 or more; `throwOnStatus: false` gives the reply instead. */
export class StatusError extends UpstreamError {
  readonly code = 'ERR_STATUS'
  /** The status of the response. */
  readonly status: number
  readonly #reply: Reply

  constructor(report: CallReport, reply: Reply) {
    super(report, 'yes', reply.verdict)
    this.status = reply.status
    this.#reply = reply
  }

  /** The error that stands for a reply: one, however many have asked. @internal */
  static of(report: CallReport, reply: Reply): StatusError {
    const known = reply.failure as StatusError | undefined
    if (known !== undefined) return known
    const made = new StatusError(report, reply)
    reply.failure = made
    return made
  }

  /** The response's headers. Not among the error's own properties nor in `toJSON()`, so that no logger prints a cookie. */
  get headers(): ReplyHeaders {
    return this.#reply.headers
  }

  /** The first 1,024 bytes of the body as text; kept from loggers, too. */
  get body(): string {
    return this.#reply.excerpt
  }

  /** The reply it was made of. @internal */
  get reply(): Reply {
    return this.#reply
  }

  protected get summary(): string {
    return `status ${this.status}`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), status: this.status }
  }
}

/** The code of what a call or an attempt ended with; `aborted` for a reason of the caller's own. */
export const codeOf = (error: unknown): string =>
  error instanceof UpstreamError || error instanceof OptionError ? error.code : 'aborted'
