import type { Env } from '../../clock.ts'
import type { BreakerPolicy } from '../../options/policy.ts'
import type { CircuitState } from '../../outcome/circuit-state.ts'
import { failed, type Verdict } from '../../outcome/verdict.ts'
import { Holds } from './retry-after-holds.ts'
import type { CircuitObserver } from './observer.ts'
import { openTime } from './open-time.ts'
import { Ramp } from './ramp.ts'
import { Routes } from './healthy-routes.ts'
import { longestRun, trip, type Runs } from './trip.ts'
import { Window } from './window.ts'

/**
 * Permission to make one attempt: the generation it belongs to, negative for a probe; 0 is a refusal. A plain number,
 * so that admission allocates nothing.
 */
export type Admission = number

/** Runs when a circuit has changed its state. */
export type OnChange = (from: CircuitState, to: CircuitState, reason: string) => void

/** Shortest time between two probes that refused calls have asked for, in ms, however many calls are refused. */
const PROBE_SPACING = 25

/**
 * The circuit breaker of one endpoint.
 *
 * Admission is asked before anything is sent, so our own refusals never enter a rate. Each admission carries the
 * generation of the circuit, and every change of state starts a new one, so late outcomes are ignored. Outcomes without
 * evidence change nothing. It needs several probes to close, each with a time limit; the open time is jittered and
 * grows; after it has closed, the load ramps up.
 *
 * While open, it admits a probe when the open time is over, or as soon as the probe is a small share (`probeShare`) of
 * the calls refused so far: the more demand, the sooner recovery is noticed, at the same relative cost to the upstream.
 *
 * opossum does not take part in these decisions (docs/decisions/0001-opossum.md); `opossum-view.ts` shows a circuit as
 * an opossum breaker.
 */
export class Circuit implements Runs {
  /** Unhealthy outcomes since the last healthy or throttled one. */
  unhealthy = 0
  /** Gateway errors since the last other outcome. */
  gateway = 0
  readonly window: Window
  readonly holds: Holds = new Holds()
  readonly routes: Routes = new Routes()
  /** Is notified of what happens to the circuit; undefined until a view of it is asked for. */
  observer: CircuitObserver | undefined = undefined
  #policy: BreakerPolicy
  readonly #env: Env
  readonly #onChange: OnChange
  #isOpen = false
  #isolated = false
  #generation = 1
  #reason = ''
  /** Open times started since the circuit was last closed. */
  #rounds = 0
  #probeAt = 0
  #lastProbeAt = 0
  /** Calls refused since the last probe. */
  #refused = 0
  /** Probes in flight, and probes that have succeeded. */
  #probing = 0
  #probed = 0
  readonly #ramp = new Ramp()

  constructor(policy: BreakerPolicy, env: Env, onChange: OnChange) {
    this.#policy = policy
    this.#env = env
    this.#onChange = onChange
    this.window = new Window(policy.window, env.clock.now())
  }

  get state(): CircuitState {
    if (this.#isolated) return 'isolated'
    if (!this.#isOpen) return 'closed'
    return this.#probing > 0 || this.#probed > 0 ? 'half-open' : 'open'
  }

  /** Why the circuit is in its present state, in words. */
  why(now: number): string {
    if (this.#isolated) return 'isolated by hand'
    if (this.holds.isActive(now)) return 'the upstream asked to wait (Retry-After)'
    const { state } = this
    if (state === 'closed') return this.#ramp.isActive(now) ? 'ramping up after it closed' : 'healthy'
    return state === 'open' ? this.#reason : `${this.#reason}; probes are out`
  }

  /** How long until a call may be admitted, in ms: 0 if one would be admitted now, Infinity if that is unknown. */
  opensIn(now: number): number {
    if (this.admits(now)) return 0
    if (this.#isolated) return Infinity
    switch (this.state) {
      case 'closed': return this.holds.left(now)
      case 'open': return Math.max(this.holds.left(now), this.#probeAt - now)
      default: return this.#probed > 0 ? this.holds.left(now) : Infinity
    }
  }

  /** Whether it is about to admit more calls: a probe has succeeded, or the load is ramping up after it closed. */
  isOpening(now: number): boolean {
    if (this.#isolated || this.holds.isActive(now)) return false
    return this.#isOpen ? this.#probed > 0 : this.#ramp.isActive(now)
  }

  /** Whether its state must be kept: it is not closed, or a Retry-After is in force. */
  get busy(): boolean {
    return this.state !== 'closed' || this.holds.isAnyActive(this.#env.clock.now())
  }

  /** Whether `admit()` would admit a call now. */
  admits(now: number): boolean {
    if (this.#isolated || this.holds.isActive(now)) return false
    if (!this.#isOpen) return this.#ramp.admits(now)
    // Until the first probe has succeeded it is the only one.
    if (this.#probed > 0 || this.#probing > 0) return this.#probed > 0 && this.#probing + this.#probed < this.#policy.probes
    return now >= this.#probeAt || this.#demanded(now)
  }

  /** Admits a call, or refuses it with 0. Every admission must be settled once. */
  admit(now: number): Admission {
    if (!this.admits(now)) return 0
    if (!this.#isOpen) {
      this.#ramp.enter()
      return this.#generation
    }
    this.#refused = 0
    this.#lastProbeAt = now
    this.#probing++
    if (this.#probing > 1 || this.#probed > 0) return -this.#generation
    this.#generation++
    const probe = -this.#generation
    // A listener that isolates the circuit now starts another generation, and the probe is of the past one.
    this.#change('open', 'half-open', 'probing')
    return probe
  }

  /** Counts a refused call: it is demand for a probe. */
  refuse(): void {
    this.#refused++
  }

  /** Records the outcome of an admitted call. `latency` in ms counts for the slow-call rate unless it is undefined. */
  settle(admission: Admission, verdict: Verdict, latency: number | undefined, now: number): void {
    if (Math.abs(admission) !== this.#generation) return
    if (admission < 0) this.#settleProbe(verdict, now)
    else this.#settleCall(verdict, latency, now)
  }

  /** Refuses the calls of a path for `ms`, at most `maxHold`, because it asked to wait; or all calls (see {@link Holds}). */
  holdPath(path: string, ms: number, now: number): void {
    this.holds.beginPath(path, Math.min(ms, this.#policy.maxHold), longestRun(this.window.total, this.#policy), now)
  }

  /** Refuses all calls until `restore()`. */
  isolate(): void {
    if (this.#isolated) return
    const from = this.state
    this.#isolated = true
    this.#generation++
    this.#change(from, 'isolated', 'isolated by hand')
  }

  /** Closes the circuit, whatever its state. */
  restore(): void {
    const from = this.state
    this.#isolated = false
    this.holds.end()
    if (from !== 'closed') this.#close(from, 'restored by hand', this.#env.clock.now(), 0)
  }

  /** Applies new options; state and window are kept. */
  tune(policy: BreakerPolicy): void {
    if (policy.window !== this.#policy.window) this.window.resize(policy.window, this.#env.clock.now())
    this.#policy = policy
    this.observer?.tuned(policy)
  }

  /** Reports to the observer that the circuit is no longer in use. */
  release(): void {
    this.observer?.released()
  }

  #change(from: CircuitState, to: CircuitState, reason: string): void {
    this.#onChange(from, to, reason)
    this.observer?.changed()
  }

  #demanded(now: number): boolean {
    return this.#refused * this.#policy.probeShare >= 1 && now - this.#lastProbeAt >= PROBE_SPACING
  }

  #settleCall(verdict: Verdict, latency: number | undefined, now: number): void {
    this.#ramp.leave(verdict === 'healthy')
    if (verdict === 'none') return
    const bad = failed(verdict)
    if (!bad) this.holds.served(this.#policy.probes, now)
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
      // A probe without evidence frees its place: the next call may probe at once.
      this.#probeAt = Math.min(this.#probeAt, now)
      this.#change('half-open', 'open', 'probe without evidence')
    }
  }

  #open(from: CircuitState, reason: string, now: number): void {
    this.#isOpen = true
    this.#generation++
    this.#probing = this.#probed = 0
    if (from === 'closed') {
      this.#refused = this.#rounds = 0
      this.#lastProbeAt = now
      this.#reason = reason
    }
    // A probe that was sent early, on demand, leaves the open time unchanged.
    if (from === 'closed' || now >= this.#probeAt) {
      this.#probeAt = now + openTime(this.#policy, this.#rounds++, this.#env.random)
    }
    this.#change(from, 'open', reason)
  }

  #close(from: CircuitState, reason: string, now: number, ramp: number): void {
    this.#isOpen = false
    this.#generation++
    this.#probing = this.#probed = 0
    this.unhealthy = this.gateway = 0
    this.#ramp.start(this.#policy.probes, ramp, now)
    this.window.clear(now)
    this.#change(from, 'closed', reason)
  }
}
