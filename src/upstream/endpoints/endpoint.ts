import type { Circuit } from '../circuit/circuit.ts'
import { CircuitOpenError } from '../../outcome/errors.ts'
import type { Trace } from '../../outcome/trace.ts'
import type { Pool } from '../../transport/pool.ts'
import { Ewma } from '../latency/ewma.ts'

/** One address of an upstream: its circuit, its connections, and its recent latency. */
export class Endpoint {
  readonly origin: string
  readonly pool: Pool
  readonly latency: Ewma = new Ewma()
  /** Undefined while the breaker is switched off. */
  circuit: Circuit | undefined
  /** Attempts in flight. */
  inFlight = 0

  constructor(origin: string, pool: Pool, circuit: Circuit | undefined) {
    this.origin = origin
    this.pool = pool
    this.circuit = circuit
  }

  admits(now: number): boolean {
    return this.circuit === undefined || this.circuit.admits(now)
  }

  isOpening(now: number): boolean {
    return this.circuit?.isOpening(now) === true
  }

  opensIn(now: number): number {
    return this.circuit === undefined ? 0 : this.circuit.opensIn(now)
  }

  /** Refuses a call, and counts it as demand for a probe. */
  refuse(trace: Trace, now: number): CircuitOpenError {
    this.circuit?.refuse()
    const error = this.refusal(trace, now)
    this.circuit?.observer?.refused(error)
    return error
  }

  /** Refuses a call whose path is held. @param left - for how long, in ms. */
  refusePath(trace: Trace, left: number, now: number): CircuitOpenError {
    trace.mark('refused: Retry-After', now)
    const error = new CircuitOpenError(trace, 'the upstream asked to wait for this path (Retry-After)', left)
    this.circuit?.observer?.refused(error)
    return error
  }

  /** The error that says why the endpoint does not admit a call. */
  refusal(trace: Trace, now: number): CircuitOpenError {
    const { circuit } = this
    const opensIn = circuit?.opensIn(now)
    trace.mark('refused: circuit open', now)
    return new CircuitOpenError(trace, circuit?.why(now) ?? 'lost a race', opensIn === Infinity ? undefined : opensIn)
  }
}
