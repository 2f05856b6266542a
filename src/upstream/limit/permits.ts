import type { Priority } from '../../options/upstream-options.ts'
import { Queue, Waiter } from './queue.ts'

const nothing = (): void => undefined
/** The queue of each priority; what is served first comes first. */
const PLACE: Readonly<Record<Priority, number>> = { critical: 0, normal: 1, background: 2 }
const NO_QUEUES: readonly Queue[] = []

/** Says whether a call with a permit could go on. */
export interface Door {
  admits(now: number): boolean
  /** Whether it will admit more in a moment: then those who wait should go on waiting, though there is a permit. */
  isOpening(now: number): boolean
}

const OPEN: Door = { admits: () => true, isOpening: () => false }

/**
 * Counts permits and keeps queues of those who wait for one. No timers: who waits brings its own.
 *
 * There is a queue for each priority. The highest that is not empty is served, and the lowest makes room: what is shed is shed
 * from the bottom.
 *
 * Queues that empty now and then are a burst, and are served in the order of arrival. If they have not been empty for longer
 * than there is patience, that is overload: most of those in them will not be served in time, and serving the oldest first would
 * make it all of them. Then the newest is served first, as it has the most time left (adaptive LIFO, Maurer, "Fail at Scale",
 * ACM Queue 2015), and the oldest makes room.
 */
export class Permits {
  /** Permits taken. */
  taken = 0
  /** How many wait. */
  queued = 0
  #patience = Infinity
  #max: number
  readonly #door: Door
  /** Made when somebody first waits. */
  #queues = NO_QUEUES
  #waitingSince = 0
  #granting = false

  constructor(max: number, door: Door = OPEN) {
    this.#max = max
    this.#door = door
  }

  /** Permits there are. */
  get max(): number {
    return this.#max
  }

  /** How long, in ms, the queues may go on without being empty before that is overload; Infinity: that would prove nothing. */
  setPatience(ms: number, now: number): void {
    // What has been waited so far proved nothing.
    if (this.#patience === Infinity) this.#waitingSince = now
    this.#patience = ms
  }

  /** Whether the queues have been waiting for too long to be a burst. */
  isOverloaded(now: number): boolean {
    return this.queued > 0 && now - this.#waitingSince > this.#patience
  }

  /** Takes a permit if one is free and nobody waits. */
  take(): boolean {
    if (this.taken >= this.#max || this.queued > 0) return false
    this.taken++
    return true
  }

  /** Gives a permit back; whose turn it is gets it. */
  release(now = 0): void {
    this.taken--
    this.#grant(now)
  }

  /** Joins the queue of a priority; `granted` runs when the permit is theirs, `displaced` if another one takes the place. */
  wait(granted: () => void, displaced: () => void = nothing, now = 0, priority: Priority = 'normal'): Waiter {
    if (this.queued === 0) this.#waitingSince = now
    if (this.#queues === NO_QUEUES) this.#queues = [new Queue(), new Queue(), new Queue()]
    const waiter = new Waiter(granted, displaced)
    this.#queues[PLACE[priority]]?.add(waiter)
    this.queued++
    return waiter
  }

  /** Leaves the queue. Nothing happens if the permit has been granted, or it has left before. */
  leave(waiter: Waiter): void {
    if (waiter.queue === undefined) return
    waiter.queue.remove(waiter)
    this.queued--
  }

  /** How many would be served before a newcomer of this priority, as things are. */
  ahead(priority: Priority, now: number): number {
    // In overload the newest of a priority is served first.
    const last = this.isOverloaded(now) ? PLACE[priority] - 1 : PLACE[priority]
    let ahead = 0
    for (let place = 0; place <= last; place++) ahead += this.#queues[place]?.size ?? 0
    return ahead
  }

  /**
   * Makes others leave until fewer than `places` wait: those of a lower priority than the newcomer's, the lowest first; in
   * overload those of its own, too. @returns whether there is a place now.
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

  /** Changes how many there are. Those above a smaller number are not taken away: they come back in their time. */
  resize(max: number, now = 0): void {
    this.#max = max
    this.#grant(now)
  }

  #grant(now: number): void {
    // What is granted goes on at once, and may end and come back here: those who wait must not pile up on the stack.
    if (this.queued === 0 || this.#granting) return
    this.#granting = true
    try {
      while (this.taken < this.#max && (this.#door.admits(now) || !this.#door.isOpening(now))) {
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
