/**
 * Time and chance: the only file that touches timers, `performance` and `Math.random`.
 *
 * A call arms a deadline and each attempt may arm another, and nearly all of them are cancelled unfired. A Node timer
 * costs about half a microsecond to arm and clear, so ours are entries in one timing wheel (Varghese and Lauck, 1987)
 * driven by one shared 10 ms tick that runs only while something waits.
 */

/** An armed timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  /** Disarms it. */
  cancel(): void
}

/** A monotonic clock with timers. Tests hold one in their hand. */
export interface Clock {
  /** Milliseconds on a monotonic clock; only differences mean anything. */
  now(): number
  /**
   * Runs `run` once, `ms` from now; `late` says by how many ms the timer itself was late, which is how a blocked
   * event loop shows. A background timer neither keeps the process alive nor needs to be exact.
   */
  after(ms: number, run: (late: number) => void, background?: boolean): Timer
  /** When the last stall of this process's event loop (100 ms or more) was noticed; -Infinity if never. */
  readonly stalledAt: number
}

/** A number from 0 up to but not including 1. */
export type Random = () => number

/** Where layers get time and chance from. */
export interface Env {
  /** Time. */
  readonly clock: Clock
  /** Chance. */
  readonly random: Random
  /** The name of the client whose they are, as events tell it. @internal */
  readonly client?: string
}

const TICK = 10
const SLOTS = 512
const STALL = 100
const LONGEST_NATIVE = 2 ** 31 - 1

/** One entry of the wheel: a link of its slot's ring, so that cancelling is O(1). */
class Entry implements Timer {
  prev: Entry
  next: Entry
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

const NEVER: Timer = { cancel() {} }

class Wheel implements Clock {
  stalledAt = -Infinity
  #slots: Entry[] = Array.from({ length: SLOTS }, () => new Entry())
  #size = 0
  #origin = performance.now()
  #tick = 0
  #interval: NodeJS.Timeout | undefined

  now(): number {
    return performance.now()
  }

  after(ms: number, run: (late: number) => void, background = false): Timer {
    if (background) return this.#native(ms, run)
    if (ms === Infinity) return NEVER
    const now = performance.now()
    if (this.#interval === undefined) this.#start(now)
    const entry = new Entry()
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

  remove(entry: Entry): void {
    entry.prev.next = entry.next
    entry.next.prev = entry.prev
    entry.run = undefined
    entry.wheel = undefined
    this.#size--
  }

  /** The slot whose tick comes at or after `due`; plain numbers throughout, as 32-bit ones wrap after weeks. */
  #slotOf(due: number): Entry {
    const tick = Math.max(this.#tick + 1, Math.ceil((due - this.#origin) / TICK))
    return this.#slots[tick % SLOTS] as Entry
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
      // Replies may be waiting in the sockets: let them be read before anything is declared too late.
      this.stalledAt = now
      setImmediate(() => this.#fire(performance.now()))
    } else this.#fire(now)
  }

  #fire(now: number): void {
    const from = this.#tick + 1
    const reached = Math.floor((now - this.#origin) / TICK)
    // What is armed by what fires goes to slots still to come.
    this.#tick = Math.max(this.#tick, reached)
    // The slot after `reached` may hold what has fallen due since; left for the next tick it would be late by two. After a
    // long gap one whole revolution sees every slot; more would only see them again.
    for (let tick = Math.max(from, reached - SLOTS + 2); tick <= reached + 1; tick++) {
      const ring = this.#slots[tick % SLOTS] as Entry
      for (let entry = ring.next; entry !== ring;) {
        const following = entry.next
        if (entry.due <= now) this.#expire(entry, now)
        // What ran may have cancelled its neighbour; if so, start the ring again (fired entries are gone from it).
        entry = following.wheel === this || following === ring ? following : ring.next
      }
    }
  }

  #expire(entry: Entry, now: number): void {
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

/** The process's own clock, shared by every client so that all of them turn one wheel. */
const wheel = new Wheel()

/** Real time and real chance. */
export const systemEnv: Env = { clock: wheel, random: () => Math.random() }

/** The time of day as ms since 1970, for dates in headers and nothing else. */
export const wallClock = (): number => Date.now()
