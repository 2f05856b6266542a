import type { Priority } from '../../options/upstream-options.ts'
import { Queue, Waiter } from './queue.ts'

/** The queue of each priority; the first is served first. */
const PLACE: Readonly<Record<Priority, number>> = { critical: 0, normal: 1, background: 2 }
const NO_QUEUES: readonly Queue[] = []

/** Whether a call that gets a permit could be sent. */
export interface Gate {
  admits(now: number): boolean
  /** Whether it is about to admit more calls: then waiting calls keep waiting, even if a permit is free. */
  isOpening(now: number): boolean
}

/**
 * Counts permits, and keeps the queues of calls that wait for one. It has no timers: callers bring their own.
 *
 * Each priority has its own queue. The highest that is not empty is served, and the lowest makes room, so load is shed
 * from the lowest priority up.
 *
 * Queues that empty regularly are a burst, and are served in order of arrival. If they have not been empty for longer
 * than the patience, that is overload: most waiting calls cannot be served in time, and serving the oldest first would
 * make all of them late. Then the newest call is served first, because it has the most time left (adaptive LIFO,
 * Maurer, "Fail at Scale", ACM Queue 2015), and the oldest makes room.
 */
export class Permits {
  /** Permits in use. */
  taken = 0
  /** Waiting calls. */
  queued = 0
  #patience = Infinity
  #max: number
  readonly #gate: Gate
  /** Created when a call first waits. */
  #queues = NO_QUEUES
  #waitingSince = 0
  /** Looks since a permit last came back, or the first call began to wait. */
  #stuck = 0
  /** Permits granted beyond the limit. */
  #overdraft = 0
  #granting = false

  constructor(max: number, gate: Gate) {
    this.#max = max
    this.#gate = gate
  }

  /** The number of permits. */
  get max(): number {
    return this.#max
  }

  /** How long the queues may stay non-empty before that counts as overload, in ms; with Infinity it never does. */
  setPatience(ms: number, now: number): void {
    // The time waited under infinite patience does not count.
    if (this.#patience === Infinity) this.#waitingSince = now
    this.#patience = ms
  }

  /** Whether the queues have not been empty for longer than the patience. */
  isOverloaded(now: number): boolean {
    return this.queued > 0 && now - this.#waitingSince > this.#patience
  }

  /** Takes a permit if one is free and no call waits. */
  take(): boolean {
    if (this.taken >= this.#max + this.#overdraft || this.queued > 0) return false
    this.taken++
    return true
  }

  /** Takes a permit even if none is free: the upstream is already at work. */
  overtake(): void {
    this.taken++
  }

  /** Returns a permit; the next waiting call gets it. */
  release(now: number): void {
    this.taken--
    this.#stuck = 0
    if (this.#overdraft > 0) this.#overdraft = this.taken < this.#max ? 0 : Math.min(this.#max, this.#overdraft + 1)
    this.#grant(now)
  }

  /**
   * Lets one more call go on when calls have waited for `patience` looks and none has given its permit back: those that have them
   * may be long polls, which must not keep all others out. If it does come back, another follows in its place, and one more with
   * it. Looks are counted, not time: this process itself may have stood still.
   */
  relieve(patience: number, now: number): void {
    if (++this.#stuck < patience || this.queued === 0 || this.taken < this.#max + this.#overdraft) return
    this.#overdraft = this.taken - this.#max + 1
    this.#stuck = 0
    this.#grant(now)
  }

  /**
   * Joins the queue of a priority. `granted` runs when the call has got a permit, `displaced` when it has to leave the
   * queue for another call.
   */
  wait(granted: () => void, displaced: () => void, now: number, priority: Priority): Waiter {
    if (this.queued === 0) {
      this.#waitingSince = now
      this.#stuck = 0
    }
    if (this.#queues === NO_QUEUES) this.#queues = [new Queue(), new Queue(), new Queue()]
    const waiter = new Waiter(granted, displaced)
    this.#queues[PLACE[priority]]?.add(waiter)
    this.queued++
    return waiter
  }

  /** Leaves the queue. Does nothing if the waiter has already left, or has got its permit. */
  leave(waiter: Waiter): void {
    if (waiter.queue === undefined) return
    waiter.queue.remove(waiter)
    this.queued--
  }

  /** How many waiting calls would be served before a new one of this priority. */
  ahead(priority: Priority, now: number): number {
    // In overload the newest call of a priority is served first.
    const last = this.isOverloaded(now) ? PLACE[priority] - 1 : PLACE[priority]
    let ahead = 0
    for (let place = 0; place <= last; place++) ahead += this.#queues[place]?.size ?? 0
    return ahead
  }

  /**
   * Displaces waiting calls until fewer than `places` wait: those of a lower priority than the new call's, the lowest
   * first, and in overload those of the same priority, too. @returns whether there is a place now.
   */
  makeRoom(places: number, priority: Priority, now: number): boolean {
    const spared = this.isOverloaded(now) ? PLACE[priority] : PLACE[priority] + 1
    for (let place = this.#queues.length - 1; place >= spared; place--) {
      const queue = this.#queues[place]
      while (queue?.oldest !== undefined && this.queued >= places) {
        const { oldest } = queue
        this.leave(oldest)
        oldest.displaced()
      }
    }
    return this.queued < places
  }

  /** Changes the number of permits. Permits in use above a lower number stay in use until they are released. */
  resize(max: number, now: number): void {
    this.#max = max
    this.#grant(now)
  }

  #grant(now: number): void {
    // A granted call continues at once, and may end and call this again: without the flag, that would grow the stack.
    if (this.queued === 0 || this.#granting) return
    this.#granting = true
    try {
      while (this.taken < this.#max + this.#overdraft && (this.#gate.admits(now) || !this.#gate.isOpening(now))) {
        const queue = this.#queues.find(({ size }) => size > 0)
        const waiter = this.isOverloaded(now) ? queue?.newest : queue?.oldest
        if (waiter === undefined) break
        this.leave(waiter)
        this.taken++
        waiter.granted()
      }
    } finally {
      this.#granting = false
    }
  }
}
