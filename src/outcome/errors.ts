import { OptionError } from './option-error.ts'
import type { Reply, ReplyHeaders } from './reply.ts'
import { DURING, round, UpstreamError, type CallReport, type Phase } from './upstream-error.ts'
import type { Verdict } from './verdict.ts'

export { OptionError } from './option-error.ts'
export { UpstreamError, type CallReport, type StopReason, type TimelineEntry } from './upstream-error.ts'

/** The client itself refused the call: it never left this process and is safe to send elsewhere. */
export abstract class RejectedError extends UpstreamError {
  /** When to try again, in ms from now; undefined if unknown. */
  readonly retryAfter: number | undefined

  constructor(report: CallReport, retryAfter?: number) {
    super(report, 'never', 'none')
    this.retryAfter = retryAfter
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), ...(this.retryAfter === undefined ? {} : { retryAfter: this.retryAfter }) }
  }
}

/**
 * No endpoint of the upstream admits the call: the circuit is open, half-open with all probes in flight, ramping up, or held
 * by a Retry-After.
 */
export class CircuitOpenError extends RejectedError {
  readonly code = 'ERR_CIRCUIT_OPEN'
  /** Why the circuit does not admit the call, e.g. `failure rate`. */
  readonly reason: string

  constructor(report: CallReport, reason: string, retryAfter: number | undefined) {
    super(report, retryAfter)
    this.reason = reason
  }

  protected get summary(): string {
    const when = this.retryAfter === undefined ? '' : `, try again in ${round(this.retryAfter)} ms`
    return `circuit open: ${this.reason}${when}`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason }
  }
}

/** Which limit a call hit. */
export type LimitKind = 'permits' | 'queue' | 'queue timeout' | 'wait' | 'bodies' | 'upstreams'

/** No permit was free, and the queue was full, switched off, or too slow for this call. */
export class LimitExceededError extends RejectedError {
  readonly code = 'ERR_LIMIT_EXCEEDED'
  /** Which limit it was. */
  readonly kind: LimitKind
  /** The value of that limit. */
  readonly limit: number

  constructor(report: CallReport, kind: LimitKind, limit: number, retryAfter?: number) {
    super(report, retryAfter)
    this.kind = kind
    this.limit = limit
  }

  protected get summary(): string {
    switch (this.kind) {
      case 'permits': return `all ${this.limit} permits are in use and there is no queue`
      case 'queue': return `all permits are in use and the queue is full (${this.limit} calls waiting)`
      case 'queue timeout': return `queued for ${round(this.limit)} ms without getting a permit`
      case 'wait': return `estimated wait for a permit is ${round(this.retryAfter ?? Infinity)} ms, too long for this call`
      case 'bodies': return `${this.limit} bodies are in transit, sent or read slowly by their callers; raise limit.bodies`
      case 'upstreams': return `all ${this.limit} upstreams are in use or have an open circuit; raise maxUpstreams`
    }
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), kind: this.kind, limit: this.limit }
  }
}

/** The client or the upstream is closing and takes no new calls. */
export class DrainingError extends RejectedError {
  readonly code = 'ERR_DRAINING'

  protected get summary(): string {
    return 'the client is closing'
  }
}



/** A time limit was exceeded. */
export abstract class TimeoutError extends UpstreamError {
  /** The limit that was exceeded, in ms. */
  readonly timeout: number
  /** What the call was waiting for. */
  readonly phase: Phase

  constructor(
    report: CallReport, timeout: number, phase: Phase, { sent, verdict, cause }: Pick<TimeoutError, 'sent' | 'verdict' | 'cause'>,
  ) {
    super(report, sent, verdict, cause)
    this.timeout = timeout
    this.phase = phase
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), timeout: this.timeout, phase: this.phase }
  }
}

/** The call's deadline was exceeded. */
export class DeadlineExceededError extends TimeoutError {
  readonly code = 'ERR_DEADLINE_EXCEEDED'

  protected get summary(): string {
    return `deadline of ${round(this.timeout)} ms exceeded ${DURING[this.phase]}`
  }
}

/** An attempt took longer than `attemptTimeout`. */
export class AttemptTimeoutError extends TimeoutError {
  readonly code = 'ERR_ATTEMPT_TIMEOUT'

  protected get summary(): string {
    return `attempt timed out after ${round(this.timeout)} ms ${DURING[this.phase]}`
  }
}

/**
 * Who is responsible for a failed connection. `nobody`: a kept-alive connection had gone stale, or an HTTP/2 stream was
 * refused before it was processed.
 */
export type Blame = 'upstream' | 'process' | 'nobody'


/** The connection could not be made, or it failed; `cause` is undici's or Node's error. */
export class ConnectionError extends UpstreamError {
  readonly code = 'ERR_CONNECTION'
  /** Node's or undici's code, e.g. `ECONNREFUSED`. */
  readonly reason: string
  /**
   * Who is responsible: the upstream, this process (out of descriptors, ports or memory), or neither (a stale connection).
   */
  readonly blame: Blame

  constructor(report: CallReport, reason: string, { sent, blame, cause }: Pick<ConnectionError, 'sent' | 'blame' | 'cause'>) {
    super(report, sent, blame === 'upstream' ? 'gateway' : 'none', cause)
    this.reason = reason
    this.blame = blame
  }

  protected get summary(): string {
    if (this.stopped === 'draining') return `connection closed by destroy() (${this.reason})`
    if (this.blame === 'process') return `this process is out of resources (${this.reason})`
    return this.sent === 'never' ? `could not connect (${this.reason})` : `connection failed (${this.reason})`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason, blame: this.blame }
  }
}

/** The response was malformed, incomplete or too large. */
export class ResponseError extends UpstreamError {
  readonly code = 'ERR_BAD_RESPONSE'
  /** What was wrong with the response. */
  readonly reason: string

  constructor(report: CallReport, reason: string, verdict: Verdict, cause?: unknown) {
    super(report, 'maybe', verdict, cause)
    this.reason = reason
  }

  protected get summary(): string {
    return `invalid response: ${this.reason}`
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), reason: this.reason }
  }
}

/** The upstream replied with a status of 400 or more; `throwOnStatus: false` returns the reply instead. */
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

  /** The error for a reply; the same object each time. @internal */
  static of(report: CallReport, reply: Reply): StatusError {
    const known = reply.failure as StatusError | undefined
    if (known !== undefined) return known
    const created = new StatusError(report, reply)
    reply.failure = created
    return created
  }

  /** The response's headers. Neither an own property nor in `toJSON()`, so that no logger prints a cookie. */
  get headers(): ReplyHeaders {
    return this.#reply.headers
  }

  /** The first 1,024 bytes of the body as text; hidden from loggers as well. */
  get body(): string {
    return this.#reply.excerpt
  }

  /** The reply it was created from. @internal */
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

/** The code of the error a call or an attempt ended with; `aborted` when it is the caller's own abort reason. */
export const codeOf = (error: unknown): string =>
  error instanceof UpstreamError || error instanceof OptionError ? error.code : 'aborted'
