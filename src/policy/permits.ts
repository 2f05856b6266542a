/** Somebody who waits for a permit: a link of the queue, so that giving up is O(1). */
export class Waiter {
  /** @internal */
  next: Waiter | undefined
  /** @internal */
  prev: Waiter | undefined
  /** @internal */
  waiting = true
  readonly granted: () => void
  readonly displaced: () => void

  constructor(granted: () => void, displaced: () => void) {
    this.granted = granted
    this.displaced = displaced
  }
}

const nothing = (): void => undefined

/**
 * Counts permits and keeps a queue of those who wait for one. No timers: who waits brings its own.
 *
 * A queue that empties now and then is a burst, and is served in the order of arrival. One that has not been empty for longer
 * than `patience` is overload: most of those in it will not be served in time, and serving the oldest first would make it all of
 * them. Then the newest is served first, as it has the most time left (adaptive LIFO, Maurer, "Fail at Scale", ACM Queue
 * 2015), and the oldest makes room.
 */
export class Permits {
  /** Permits taken. */
  taken = 0
  /** How many wait. */
  queued = 0
  /** How long, in ms, the queue may go on without being empty before that is overload. */
  patience: number = Infinity
  #max: number
  #head: Waiter | undefined
  #tail: Waiter | undefined
  #waitingSince = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Permits there are. */
  get max(): number {
    return this.#max
  }

  /** Whether the queue has been waiting for too long to be a burst. */
  isOverloaded(now: number): boolean {
    return this.queued > 0 && now - this.#waitingSince > this.patience
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

  /** Joins the queue; `granted` runs when the permit is theirs, `displaced` if a newer one takes the place. */
  wait(granted: () => void, displaced: () => void = nothing, now = 0): Waiter {
    if (this.queued === 0) this.#waitingSince = now
    const waiter = new Waiter(granted, displaced)
    waiter.prev = this.#tail
    if (this.#tail === undefined) this.#head = waiter
    else this.#tail.next = waiter
    this.#tail = waiter
    this.queued++
    return waiter
  }

  /** Leaves the queue. Nothing happens if the permit has been granted, or it has left before. */
  leave(waiter: Waiter): void {
    if (!waiter.waiting) return
    waiter.waiting = false
    this.queued--
    if (waiter.prev === undefined) this.#head = waiter.next
    else waiter.prev.next = waiter.next
    if (waiter.next === undefined) this.#tail = waiter.prev
    else waiter.next.prev = waiter.prev
  }

  /** Makes the oldest leave, until fewer than `places` wait. */
  displace(places: number): void {
    while (this.#head !== undefined && this.queued >= places) {
      const oldest = this.#head
      this.leave(oldest)
      oldest.displaced()
    }
  }

  /** Changes how many there are. Those above a smaller number are not taken away: they come back in their time. */
  resize(max: number, now = 0): void {
    this.#max = max
    this.#grant(now)
  }

  #grant(now: number): void {
    while (this.taken < this.#max) {
      const waiter = this.isOverloaded(now) ? this.#tail : this.#head
      if (waiter === undefined) return
      this.leave(waiter)
      this.taken++
      waiter.granted()
    }
  }
}
