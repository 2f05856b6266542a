import type { BreakerPolicy } from '../../options/policy.ts'
import type { CircuitOpenError } from '../../outcome/errors.ts'
import type { Reply } from '../../outcome/reply.ts'
import type { CallReport } from '../../outcome/upstream-error.ts'
import type { Verdict } from '../../outcome/verdict.ts'

/** How an admitted attempt ended. Built only while a circuit is observed. */
export interface AttemptResult {
  readonly verdict: Verdict
  /** How long it took, in ms. */
  readonly latency: number
  readonly report: CallReport
  /** Undefined if it ended before the headers. */
  readonly reply: Reply | undefined
  /** Undefined if it ended with a complete reply. */
  readonly error: unknown
}

/** Is notified of what happens to one circuit. It has no say in it, and must not throw. */
export interface CircuitObserver {
  /** An attempt was admitted. */
  admitted(): void
  /** A call was refused. */
  refused(error: CircuitOpenError): void
  /** An admitted attempt has ended; the circuit records it next. */
  ended(result: AttemptResult): void
  /** The circuit has changed its state. */
  changed(): void
  /** New options apply. */
  tuned(policy: BreakerPolicy): void
  /** The circuit is no longer in use: its upstream is gone, or its breaker was switched off. */
  released(): void
}
