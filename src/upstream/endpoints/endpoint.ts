import type { Call } from '../../call/call.ts'
import type { Circuit } from '../circuit/circuit.ts'
import type { Env } from '../../clock.ts'
import { CircuitOpenError } from '../../outcome/errors.ts'
import { Ewma } from '../latency/ewma.ts'
import type { Pool } from '../../transport/pool.ts'
import type { Trace } from '../../outcome/trace.ts'

/** One address of an upstream: its circuit, its connections, and what is known of it. */
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
    return this.refusal(trace, now)
  }

  /** Why it does not admit a call. */
  refusal(trace: Trace, now: number): CircuitOpenError {
    const { circuit } = this
    const opensIn = circuit?.opensIn(now)
    trace.mark('refused: circuit open', now)
    return new CircuitOpenError(trace, circuit?.why(now) ?? 'lost a race', opensIn === Infinity ? undefined : opensIn)
  }
}

/** The endpoints of an upstream, most of the time one. */
export class Endpoints {
  readonly all: readonly Endpoint[]
  readonly #env: Env
  #turn = 0

  constructor(all: readonly Endpoint[], env: Env) {
    this.all = all
    this.#env = env
  }

  /** In how many ms some endpoint may admit a call; Infinity if nobody knows. */
  opensIn(now: number): number {
    let soonest = Infinity
    for (const endpoint of this.all) soonest = Math.min(soonest, endpoint.opensIn(now))
    return soonest
  }

  /** Whether some endpoint would admit a call now. */
  admits(now: number): boolean {
    for (const endpoint of this.all) if (endpoint.admits(now)) return true
    return false
  }

  /** Whether some endpoint is about to admit more calls. */
  isOpening(now: number): boolean {
    for (const endpoint of this.all) if (endpoint.isOpening(now)) return true
    return false
  }

  /** Whether a call would be refused now: no endpoint admits it, nor will one in a moment. */
  isShut(now: number): boolean {
    return !this.admits(now) && !this.isOpening(now)
  }

  /** The refusal by the endpoint that will open first; as demand for a probe the call counts for one of them, in turns. */
  refuse(trace: Trace, now: number): CircuitOpenError {
    const { all } = this
    let soonest = all[0] as Endpoint
    if (all.length === 1) return soonest.refuse(trace, now)
    for (const endpoint of all) if (endpoint.opensIn(now) < soonest.opensIn(now)) soonest = endpoint
    this.#turn = (this.#turn + 1) % all.length
    all[this.#turn]?.circuit?.refuse()
    return soonest.refusal(trace, now)
  }

  /**
   * Of the endpoints that admit the call, the less busy of two picked at random ("The Power of Two Choices in
   * Randomized Load Balancing", Mitzenmacher 2001), other than the last one tried if possible.
   */
  pick(call: Call, now: number): Endpoint | undefined {
    if (this.all.length === 1) return this.all[0]
    const admitting = this.all.filter(endpoint => endpoint.admits(now))
    const fresh = admitting.filter(endpoint => endpoint !== call.endpoint)
    const choices = fresh.length > 0 ? fresh : admitting
    const one = choices[Math.floor(this.#env.random() * choices.length)]
    const other = choices[Math.floor(this.#env.random() * choices.length)]
    return one !== undefined && other !== undefined && other.inFlight < one.inFlight ? other : one
  }
}
