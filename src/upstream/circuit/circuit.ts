import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'
import type { CircuitState } from '../../outcome/circuit-state.ts'
import type { Env } from '../../clock.ts'
import type { BreakerPolicy } from '../../options/policy.ts'
import { RetryAfterHold } from './hold.ts'
import { Ramp } from './ramp.ts'
import { trip, type Runs } from './trip.ts'
import { failed, type Verdict } from '../../outcome/verdict.ts'
import { Window } from './window.ts'

/**
 * Leave to make one attempt: the generation it belongs to, negative if it is a probe; 0 is a refusal. A plain number,
 * so that admission allocates nothing.
 */
export type Admission = number

/** Tells that a circuit changed its state. */
export type OnChange = (from: CircuitState, to: CircuitState, reason: string) => void

const LONGEST_TIMER = 2 ** 31 - 1
const JITTER = 0.2
/** Probes asked for by demand keep this distance, in ms, however many calls are refused. */
const PROBE_SPACING = 25

/** opossum's statistics are not used (see below), so one object does for all: it would cost each breaker two timers. */
const unused = CircuitBreaker.newStatus({
  enableSnapshots: false, rollingCountBuckets: 1, rollingPercentilesEnabled: false, rotateBucketController: new EventEmitter(),
})

/**
 * The circuit of one endpoint.
 *
 * opossum holds whether it is open. Around it stand what it lacks: admission is asked before anything is fired, so that
 * our own refusals never enter a rate; outcomes are tagged with the generation in which their call began, so that late
 * ones are ignored; outcomes without evidence change nothing; several probes with a time limit, a jittered open time
 * that grows, and a ramp. opossum's `fire()` can do none of this (a filtered error counts as success there, the first
 * success closes), so it is not used.
 *
 * While open, a probe is let through when the open time is over, or when so many calls have been refused that it is a
 * small share (`probeShare`) of them: the more demand, the sooner recovery is noticed, at the same cost to the
 * upstream.
 */
export class Circuit implements Runs {
  /** Unhealthy outcomes since the last healthy or throttled one. */
  unhealthy = 0
  /** The same for gateway errors alone. */
  gateway = 0
  readonly window: Window
  #policy: BreakerPolicy
  readonly #env: Env
  readonly #changed: OnChange
  /** Made when the circuit first opens: an upstream that never fails does not pay for it. */
  #breaker: CircuitBreaker | undefined
  #isolated = false
  #generation = 1
  #reason = ''
  /** Open times begun since the circuit was last closed. */
  #rounds = 0
  #probeAt = 0
  #lastProbeAt = 0
  #refused = 0
  #probing = 0
  #probed = 0
  readonly #hold = new RetryAfterHold()
  readonly #ramp = new Ramp()

  constructor(policy: BreakerPolicy, env: Env, changed: OnChange) {
    this.#policy = policy
    this.#env = env
    this.#changed = changed
    this.window = new Window(policy.window, env.clock.now())
  }

  get state(): CircuitState {
    if (this.#isolated) return 'isolated'
    if (this.#breaker?.closed !== false) return 'closed'
    return this.#probing > 0 || this.#probed > 0 ? 'half-open' : 'open'
  }

  /** Why the circuit does not admit calls now, in words. */
  why(now: number): string {
    if (this.#isolated) return 'isolated by hand'
    if (this.#hold.isActive(now)) return 'the upstream asked to wait (Retry-After)'
    const { state } = this
    if (state === 'closed') return this.#ramp.isActive(now) ? 'ramping up after it closed' : 'healthy'
    return state === 'open' ? this.#reason : `${this.#reason}; probes are out`
  }

  /** How long until a call may be admitted, in ms: 0 if one would be now, Infinity if nobody can say. */
  opensIn(now: number): number {
    if (this.admits(now)) return 0
    if (this.#isolated) return Infinity
    switch (this.state) {
      case 'closed': return this.#hold.left(now)
      case 'open': return Math.max(this.#hold.left(now), this.#probeAt - now)
      default: return this.#probed > 0 ? this.#hold.left(now) : Infinity
    }
  }

  /** Whether it will soon admit more calls: a probe has succeeded, or it has closed and the load is ramping up. */
  isOpening(now: number): boolean {
    if (this.#isolated || this.#hold.isActive(now)) return false
    return this.#breaker?.closed === false ? this.#probed > 0 : this.#ramp.isActive(now)
  }

  /** Whether it holds anything worth remembering: anything but a plain closed circuit. */
  get busy(): boolean {
    return this.state !== 'closed' || this.#hold.isActive(this.#env.clock.now())
  }

  /** Whether `admit()` would admit a call now. */
  admits(now: number): boolean {
    if (this.#isolated || this.#hold.isActive(now)) return false
    if (this.#breaker?.closed !== false) return this.#ramp.admits(now)
    // The first probe goes alone.
    if (this.#probed > 0 || this.#probing > 0) return this.#probed > 0 && this.#probing + this.#probed < this.#policy.probes
    return now >= this.#probeAt || this.#demanded(now)
  }

  /** Admits a call, or refuses it with 0. What was admitted must be settled once. */
  admit(now: number): Admission {
    if (!this.admits(now)) return 0
    if (this.#breaker?.closed !== false) {
      this.#ramp.enter()
      return this.#generation
    }
    this.#refused = 0
    this.#lastProbeAt = now
    this.#probing++
    if (this.#probing === 1 && this.#probed === 0) {
      this.#generation++
      this.#changed('open', 'half-open', 'probing')
    }
    return -this.#generation
  }

  /** Counts a call that was refused while open: demand for a probe. */
  refuse(): void {
    this.#refused++
  }

  /**
   * Takes in the outcome of an admitted call. `latency` in ms counts for the slow-call rate; undefined if it means
   * nothing.
   */
  settle(admission: Admission, verdict: Verdict, latency: number | undefined, now: number): void {
    if (Math.abs(admission) !== this.#generation) return
    if (admission < 0) this.#settleProbe(verdict, now)
    else this.#settleCall(verdict, latency, now)
  }

  /** Refuses calls for `ms`: the upstream asked for it (Retry-After). */
  hold(ms: number, now: number): void {
    this.#hold.begin(Math.min(ms, this.#policy.maxHold), now)
  }

  /** Opens by hand, until `restore()`. */
  isolate(): void {
    if (this.#isolated) return
    const from = this.state
    this.#isolated = true
    this.#generation++
    this.#changed(from, 'isolated', 'isolated by hand')
  }

  /** Closes by hand, whatever it was. */
  restore(): void {
    const from = this.state
    this.#isolated = false
    this.#hold.end()
    if (from !== 'closed') this.#close(from, 'restored by hand', this.#env.clock.now(), 0)
  }

  /** Takes new options; state and window stay. */
  tune(policy: BreakerPolicy): void {
    if (policy.window !== this.#policy.window) this.window.resize(policy.window, this.#env.clock.now())
    this.#policy = policy
  }

  /** Lets go of opossum's timer. */
  shutdown(): void {
    this.#breaker?.shutdown()
    this.#breaker = undefined
  }

  #demanded(now: number): boolean {
    return this.#refused * this.#policy.probeShare >= 1 && now - this.#lastProbeAt >= PROBE_SPACING
  }

  #settleCall(verdict: Verdict, latency: number | undefined, now: number): void {
    this.#ramp.leave(verdict === 'healthy')
    if (verdict === 'none') return
    const bad = failed(verdict)
    if (!bad) this.#hold.served(this.#policy.probes, now)
    this.unhealthy = verdict === 'gateway' || verdict === 'unhealthy' ? this.unhealthy + 1 : 0
    this.gateway = verdict === 'gateway' ? this.gateway + 1 : 0
    this.window.record(bad, latency !== undefined && latency >= this.#policy.slowCallDuration, now)
    const reason = bad || this.window.slow > 0 ? trip(this.window, this, this.#policy) : undefined
    if (reason !== undefined) this.#open('closed', reason, now)
  }

  #settleProbe(verdict: Verdict, now: number): void {
    this.#probing--
    if (failed(verdict)) {
      this.#open('half-open', 'probe failed', now)
    } else if (verdict === 'healthy') {
      this.#probed++
      if (this.#probed >= this.#policy.probes) this.#close('half-open', 'probes succeeded', now, this.#policy.ramp)
    } else if (this.#probing === 0 && this.#probed === 0) {
      // Without evidence the place is free again: the next call may probe at once.
      this.#probeAt = Math.min(this.#probeAt, now)
      this.#changed('half-open', 'open', 'probe without evidence')
    }
  }

  #open(from: CircuitState, reason: string, now: number): void {
    if (this.#breaker === undefined) {
      this.#breaker = new CircuitBreaker(() => Promise.resolve(), {
        timeout: false, resetTimeout: LONGEST_TIMER, status: unused, enableSnapshots: false, name: 'breakwater',
      })
    }
    this.#breaker.open()
    this.#generation++
    this.#probing = this.#probed = 0
    if (from === 'closed') {
      this.#refused = this.#rounds = 0
      this.#lastProbeAt = now
      this.#reason = reason
    }
    // A probe that demand asked for early says nothing about the open time: that goes on as it was.
    if (from === 'closed' || now >= this.#probeAt) {
      const { openTime, maxOpenTime } = this.#policy
      const time = Math.min(maxOpenTime, openTime * 2 ** Math.min(this.#rounds++, 40))
      this.#probeAt = now + time * (1 - JITTER * this.#env.random())
    }
    this.#changed(from, 'open', reason)
  }

  #close(from: CircuitState, reason: string, now: number, ramp: number): void {
    this.#breaker?.close()
    this.#generation++
    this.#probing = this.#probed = 0
    this.unhealthy = this.gateway = 0
    this.#ramp.start(this.#policy.probes, ramp, now)
    this.window.clear(now)
    this.#changed(from, 'closed', reason)
  }
}
