/** Somebody who waits for a permit: a link of a queue, so that giving up is O(1). */
export class Waiter {
  /** @internal */
  next: Waiter | undefined
  /** @internal */
  prev: Waiter | undefined
  /** Where it waits; undefined before, and once it waits no more. @internal */
  queue: Queue | undefined
  readonly granted: () => void
  readonly displaced: () => void

  constructor(granted: () => void, displaced: () => void) {
    this.granted = granted
    this.displaced = displaced
  }
}

/** Those who wait, in the order in which they came. */
export class Queue {
  size = 0
  oldest: Waiter | undefined
  newest: Waiter | undefined

  /** Puts a waiter behind all others. */
  add(waiter: Waiter): void {
    waiter.queue = this
    waiter.prev = this.newest
    if (this.newest === undefined) this.oldest = waiter
    else this.newest.next = waiter
    this.newest = waiter
    this.size++
  }

  /** Takes a waiter out, wherever it stands. */
  remove(waiter: Waiter): void {
    waiter.queue = undefined
    this.size--
    if (waiter.prev === undefined) this.oldest = waiter.next
    else waiter.prev.next = waiter.next
    if (waiter.next === undefined) this.newest = waiter.prev
    else waiter.next.prev = waiter.prev
  }
}
