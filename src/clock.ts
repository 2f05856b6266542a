/**
 * Time and chance: the only file that touches timers, `performance` and `Math.random`.
 *
 * A call arms a timer for its deadline, each attempt may arm another, and nearly all of them are cancelled before they fire. A
 * Node timer costs about half a microsecond to arm and clear, so timers are entries in one timing wheel (Varghese and Lauck,
 * 1987), driven by one shared 10 ms tick that runs only while a timer is armed.
 */

/** An armed timer. Cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  /** Disarms the timer. */
  cancel(): void
}

/** A monotonic clock with timers. Tests use a clock that they move by hand. */
export interface Clock {
  /** Milliseconds on a monotonic clock; only differences are meaningful. */
  now(): number
  /**
   * Runs `run` once, `ms` from now. `late` is by how many ms the timer fired late, which reveals a blocked event loop. A
   * background timer does not keep the process alive and may be inexact.
   */
  after(ms: number, run: (late: number) => void, background?: boolean): Timer
  /** When the last stall of this process's event loop (100 ms or more) was detected; -Infinity if never. */
  readonly stalledAt: number
}

/** A number from 0 up to but not including 1. */
export type Random = () => number

/** The sources of time and chance. */
export interface Env {
  /** The source of time. */
  readonly clock: Clock
  /** The source of chance. */
  readonly random: Random
  /** The name of the client, for its events. @internal */
  readonly client?: string
}

const TICK = 10
const SLOTS = 512
const STALL = 100
const LONGEST_NATIVE = 2 ** 31 - 1

/** One entry of the wheel: a node in the ring of its slot, so that cancelling is O(1). */
class WheelTimer implements Timer {
  prev: WheelTimer
  next: WheelTimer
  due = 0
  run: ((late: number) => void) | undefined
  wheel: Wheel | undefined

  constructor() {
    this.prev = this
    this.next = this
  }

  cancel(): void {
    if (this.wheel !== undefined) this.wheel.remove(this)
  }
}

const NO_TIMER: Timer = { cancel() {} }

class Wheel implements Clock {
  stalledAt = -Infinity
  #slots: WheelTimer[] = Array.from({ length: SLOTS }, () => new WheelTimer())
  #size = 0
  #origin = performance.now()
  #tick = 0
  #interval: NodeJS.Timeout | undefined

  now(): number {
    return performance.now()
  }

  after(ms: number, run: (late: number) => void, background = false): Timer {
    if (background) return this.#native(ms, run)
    if (ms === Infinity) return NO_TIMER
    const now = performance.now()
    if (this.#interval === undefined) this.#start(now)
    const entry = new WheelTimer()
    entry.due = now + Math.max(0, ms)
    entry.run = run
    entry.wheel = this
    const ring = this.#slotOf(entry.due)
    entry.next = ring
    entry.prev = ring.prev
    ring.prev.next = entry
    ring.prev = entry
    this.#size++
    return entry
  }

  remove(entry: WheelTimer): void {
    entry.prev.next = entry.next
    entry.next.prev = entry.prev
    entry.run = undefined
    entry.wheel = undefined
    this.#size--
  }

  /** The slot whose tick comes at or after `due`. No 32-bit operations: they would wrap after weeks. */
  #slotOf(due: number): WheelTimer {
    const tick = Math.max(this.#tick + 1, Math.ceil((due - this.#origin) / TICK))
    return this.#slots[tick % SLOTS] as WheelTimer
  }

  #start(now: number): void {
    this.#tick = Math.floor((now - this.#origin) / TICK)
    this.#interval = setInterval(() => this.#turn(), TICK)
  }

  #turn(): void {
    if (this.#size === 0) {
      clearInterval(this.#interval)
      this.#interval = undefined
      return
    }
    const now = performance.now()
    if (now - (this.#origin + (this.#tick + 1) * TICK) >= STALL) {
      // Replies may be waiting in the sockets: read them before any timer declares them too late.
      this.stalledAt = now
      setImmediate(() => this.#fire(performance.now()))
    } else this.#fire(now)
  }

  #fire(now: number): void {
    const from = this.#tick + 1
    const reached = Math.floor((now - this.#origin) / TICK)
    // Timers armed by a timer that fires now go into later slots.
    this.#tick = Math.max(this.#tick, reached)
    // The slot after `reached` may hold entries that have fallen due since; left for the next tick they would be two ticks late.
    // After a long gap, one revolution visits every slot; more would only visit them again.
    for (let tick = Math.max(from, reached - SLOTS + 2); tick <= reached + 1; tick++) {
      const ring = this.#slots[tick % SLOTS] as WheelTimer
      for (let entry = ring.next; entry !== ring;) {
        const following = entry.next
        if (entry.due <= now) this.#expire(entry, now)
        // The callback may have cancelled its neighbour; if so, start the ring again (fired entries are no longer in it).
        entry = following.wheel === this || following === ring ? following : ring.next
      }
    }
  }

  #expire(entry: WheelTimer, now: number): void {
    const run = entry.run
    this.remove(entry)
    run?.(now - entry.due)
  }

  #native(ms: number, run: (late: number) => void): Timer {
    const due = performance.now() + ms
    const timer = setTimeout(() => run(performance.now() - due), Math.min(ms, LONGEST_NATIVE))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  }
}

/** The clock of the process; all clients share its wheel. */
const wheel = new Wheel()

/** Real time and real chance. */
export const systemEnv: Env = { clock: wheel, random: () => Math.random() }

/** The time of day as ms since 1970; only for dates in headers. */
export const wallClock = (): number => Date.now()
