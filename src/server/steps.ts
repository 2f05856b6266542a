/**
 * A step of a shutdown.
 *
 * - `draining`: readiness fails, replies say `Connection: close`, requests are still accepted.
 * - `stopping`: no more connections; requests in flight go on.
 * - `closing`: no request is left; the client finishes its calls and closes its connections.
 * - `cut`: time is up, or a second signal came: what is left is ended now.
 * - `cleanup`: your own.
 * - `done`: the end.
 */
export type ShutdownStep = 'draining' | 'stopping' | 'closing' | 'cut' | 'cleanup' | 'done'

/** A step of a shutdown has begun. */
export interface ShutdownEvent {
  /** Which. */
  readonly step: ShutdownStep
  /** What began the shutdown: a signal, or `called`. */
  readonly reason: string
  /** ms since it began. */
  readonly elapsed: number
  /** Requests in flight. */
  readonly requests: number
  /** Connections open. */
  readonly connections: number
}

/** What happened. */
export interface ShutdownReport {
  /** What began it: a signal, or `called`. */
  readonly reason: string
  /** Whether everything was finished: no request cut off, no error. */
  readonly clean: boolean
  /** How long it took, in ms. */
  readonly duration: number
  /** Requests answered since it began. */
  readonly answered: number
  /** Requests cut off, as they were not answered in time. */
  readonly cut: number
  /** Connections ended that had no request in flight: upgraded ones, and those that never sent one. */
  readonly ended: number
  /** What went wrong on the way: a `cleanup` that threw, a client that would not close. */
  readonly errors: readonly unknown[]
}
