import type { Call } from '../../call/call.ts'
import { waitsForCaller } from '../../call/completion.ts'
import type { Permits } from './permits.ts'

/**
 * Permits are for what the upstream does. A call that waits for its caller lends its permit to the others: while the caller sends
 * the request's body, as soon as a permit is asked for, until all of the body has gone; and from the headers of a streamed reply
 * on, as its body takes as long as its reader. What is lent is counted here, as the bodies in transit have a bound of their own.
 */
export class Lent {
  /** Bodies in transit: calls whose permit is lent. */
  bodies = 0
  readonly #permits: Permits
  /** Calls with a permit whose body comes from the caller as it is sent. Made when the first one comes. */
  #uploads: Set<Call> | undefined

  constructor(permits: Permits) {
    this.#permits = permits
  }

  /** A call goes on with a permit. */
  hold(call: Call): void {
    call.permit = 'held'
    if (typeof call.body === 'object' || typeof call.body === 'function') (this.#uploads ??= new Set()).add(call)
  }

  /** Lends the permits of all calls that wait for their caller now, until their bodies have gone. */
  reclaim(now: number): void {
    for (const call of this.#uploads ?? []) {
      if (!waitsForCaller(call)) continue
      this.#uploads?.delete(call)
      call.permit = 'lent'
      call.onBodySent = () => { this.#takeBack(call) }
      this.bodies++
      this.#permits.release(now)
    }
  }

  /** The headers of a streamed reply have come: the upstream's permit goes back, and the body is one in transit. */
  answered(call: Call, now: number): void {
    const wasHeld = call.permit === 'held'
    this.#forget(call)
    if (!wasHeld) return
    this.bodies++
    this.#permits.release(now)
  }

  /** The body of a streamed reply has ended. */
  bodyEnded(): void {
    this.bodies--
  }

  /** A call has ended otherwise: what it holds goes back. */
  ended(call: Call, now: number): void {
    const { permit } = call
    this.#forget(call)
    if (permit === 'held') this.#permits.release(now)
    else if (permit === 'lent') this.bodies--
  }

  #forget(call: Call): void {
    this.#uploads?.delete(call)
    call.permit = 'none'
    call.onBodySent = undefined
  }

  /** The body has gone, and the upstream is at work: that takes a permit whether there is one or not. */
  #takeBack(call: Call): void {
    call.onBodySent = undefined
    call.permit = 'held'
    this.bodies--
    this.#permits.overtake()
  }
}
