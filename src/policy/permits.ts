/** Somebody who waits for a permit: a link of the queue, so that giving up is O(1). */
export class Waiter {
  /** @internal */
  next: Waiter | undefined
  /** @internal */
  prev: Waiter | undefined
  /** @internal */
  waiting = true
  readonly granted: () => void

  constructor(granted: () => void) {
    this.granted = granted
  }
}

/**
 * Counts permits and keeps a first-in, first-out queue of those who wait for one. No timers: who waits brings its own.
 */
export class Permits {
  /** Permits taken. */
  taken = 0
  /** How many wait. */
  queued = 0
  #max: number
  #head: Waiter | undefined
  #tail: Waiter | undefined

  constructor(max: number) {
    this.#max = max
  }

  /** Permits there are. */
  get max(): number {
    return this.#max
  }

  /** Takes a permit if one is free and nobody waits. */
  take(): boolean {
    if (this.taken >= this.#max || this.queued > 0) return false
    this.taken++
    return true
  }

  /** Gives a permit back; the first in the queue gets it. */
  release(): void {
    this.taken--
    this.#grant()
  }

  /** Joins the queue's end; `granted` runs when the permit is theirs. */
  wait(granted: () => void): Waiter {
    const waiter = new Waiter(granted)
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

  /** Changes how many there are. Those above a smaller number are not taken away: they come back in their time. */
  resize(max: number): void {
    this.#max = max
    this.#grant()
  }

  #grant(): void {
    while (this.#head !== undefined && this.taken < this.#max) {
      const waiter = this.#head
      this.leave(waiter)
      this.taken++
      waiter.granted()
    }
  }
}
