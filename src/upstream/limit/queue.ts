/** A call in a queue: a node of a linked list, so that leaving is O(1). */
export class Waiter {
  /** @internal */
  next: Waiter | undefined
  /** @internal */
  prev: Waiter | undefined
  /** The queue it is in; undefined before it joins and after it leaves. @internal */
  queue: Queue | undefined
  readonly granted: () => void
  readonly displaced: () => void

  constructor(granted: () => void, displaced: () => void) {
    this.granted = granted
    this.displaced = displaced
  }
}

/** Waiters in order of arrival. */
export class Queue {
  size = 0
  oldest: Waiter | undefined
  newest: Waiter | undefined

  /** Appends a waiter. */
  add(waiter: Waiter): void {
    waiter.queue = this
    waiter.prev = this.newest
    if (this.newest === undefined) this.oldest = waiter
    else this.newest.next = waiter
    this.newest = waiter
    this.size++
  }

  /** Removes a waiter, whatever its position. */
  remove(waiter: Waiter): void {
    waiter.queue = undefined
    this.size--
    if (waiter.prev === undefined) this.oldest = waiter.next
    else waiter.prev.next = waiter.next
    if (waiter.next === undefined) this.newest = waiter.prev
    else waiter.next.prev = waiter.prev
  }
}
