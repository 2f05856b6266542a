/**
 * A step of a shutdown.
 *
 * - `draining`: readiness fails, responses have `Connection: close`, requests are still accepted.
 * - `stopping`: no more connections are accepted; requests in flight continue.
 * - `closing`: no request is left; the client finishes its calls and closes its connections.
 * - `cut`: the time is up, or a second signal arrived: what is left is ended now.
 * - `cleanup`: the option `cleanup` runs.
 * - `done`: the shutdown has finished.
 */
export type ShutdownStep = 'draining' | 'stopping' | 'closing' | 'cut' | 'cleanup' | 'done'

/** A step of a shutdown has started. */
export interface ShutdownEvent {
  /** The step. */
  readonly step: ShutdownStep
  /** What started the shutdown: a signal, or `called`. */
  readonly reason: string
  /** Time since the start of the shutdown, in ms. */
  readonly elapsed: number
  /** Requests in flight. */
  readonly requests: number
  /** Connections open. */
  readonly connections: number
}

/** The result of a shutdown. */
export interface ShutdownReport {
  /** What started it: a signal, or `called`. */
  readonly reason: string
  /** Whether everything was finished: no request cut off, no error. */
  readonly clean: boolean
  /** How long it took, in ms. */
  readonly duration: number
  /** Requests answered since it started. */
  readonly answered: number
  /** Requests cut off because they were not answered in time, or sent behind one whose response announced the close. */
  readonly cut: number
  /** Connections closed that had no request in flight: upgraded ones, and those that never sent a request. */
  readonly ended: number
  /** Errors on the way: of `cleanup`, of a listener, or of a client that could not be closed. */
  readonly errors: readonly unknown[]
}
