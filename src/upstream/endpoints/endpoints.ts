import type { Call } from '../../call/call.ts'
import type { Env } from '../../clock.ts'
import type { CircuitOpenError } from '../../outcome/errors.ts'
import type { Trace } from '../../outcome/trace.ts'
import type { Endpoint } from './endpoint.ts'

/** The endpoints of an upstream; most have one. */
export class Endpoints {
  readonly all: readonly Endpoint[]
  readonly #env: Env
  #turn = 0

  constructor(all: readonly Endpoint[], env: Env) {
    this.all = all
    this.#env = env
  }

  /** How long until an endpoint may admit a call, in ms; Infinity if that is unknown. */
  opensIn(now: number): number {
    let soonest = Infinity
    for (const endpoint of this.all) soonest = Math.min(soonest, endpoint.opensIn(now))
    return soonest
  }

  /** Whether an endpoint would admit a call now. */
  admits(now: number): boolean {
    for (const endpoint of this.all) if (endpoint.admits(now)) return true
    return false
  }

  /** Whether an endpoint is about to admit more calls. */
  isOpening(now: number): boolean {
    for (const endpoint of this.all) if (endpoint.isOpening(now)) return true
    return false
  }

  /** Whether a call would be refused: no endpoint admits it, and none is about to. */
  isShut(now: number): boolean {
    return !this.admits(now) && !this.isOpening(now)
  }

  /**
   * The refusal by the endpoint that opens first. The call counts as demand for a probe of one endpoint, in rotation.
   */
  refuse(trace: Trace, now: number): CircuitOpenError {
    const { all } = this
    let soonest = all[0] as Endpoint
    if (all.length === 1) return soonest.refuse(trace, now)
    for (const endpoint of all) if (endpoint.opensIn(now) < soonest.opensIn(now)) soonest = endpoint
    this.#turn = (this.#turn + 1) % all.length
    const demanded = all[this.#turn]?.circuit
    demanded?.refuse()
    const error = soonest.refusal(trace, now)
    demanded?.observer?.refused(error)
    return error
  }

  /**
   * The less busy of two random endpoints that admit the call ("The Power of Two Choices in Randomized Load Balancing",
   * Mitzenmacher 2001), other than the endpoint tried last if possible.
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
