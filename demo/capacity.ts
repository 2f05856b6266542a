/** Time as the model sees it, so that a test can hold it. */
export interface Timing {
  now(): number
  after(ms: number, run: () => void): void
}

/** Told that a job's time is over: a worker has finished it, or it was lost. */
export type Done = (outcome: 'finished' | 'lost') => void

interface Job {
  readonly arrived: number
  readonly done: Done
}

/**
 * A fixed number of workers that each take the same time per job (or one that a function draws), behind a
 * first-in-first-out queue without bound. Nothing is ever taken out of the queue: a caller that has given up costs as
 * much as one that still waits, which is what makes an overloaded service stay overloaded.
 */
export class Capacity {
  readonly #timing: Timing
  readonly #serviceTime: () => number
  #workers: number
  readonly #inHand = new Set<Job>()
  #queue: Job[] = []
  #head = 0

  constructor(workers: number, serviceTime: number | (() => number), timing: Timing) {
    this.#workers = workers
    this.#serviceTime = typeof serviceTime === 'number' ? () => serviceTime : serviceTime
    this.#timing = timing
  }

  /** Jobs that wait for a worker. */
  get queued(): number {
    return this.#queue.length - this.#head
  }

  /** Jobs that a worker has in hand. */
  get busy(): number {
    return this.#inHand.size
  }

  /** Changes the number of workers; those that have a job in hand finish it first. */
  set workers(count: number) {
    this.#workers = count
    this.#next(this.#timing.now())
  }

  /** Takes a job. */
  add(done: Done): void {
    const arrived = this.#timing.now()
    this.#queue.push({ arrived, done })
    this.#next(arrived)
  }

  /** Loses every job that waits or is in hand, as a crash does. */
  lose(): void {
    const lost = [...this.#inHand, ...this.#queue.slice(this.#head)]
    this.#inHand.clear()
    this.#queue = []
    this.#head = 0
    for (const job of lost) job.done('lost')
  }

  /** A worker is judged by when it should have been free: timers that fire late must not eat capacity. */
  #next(freeAt: number): void {
    while (this.#inHand.size < this.#workers && this.queued > 0) {
      const job = this.#take()
      const due = Math.max(freeAt, job.arrived) + this.#serviceTime()
      this.#inHand.add(job)
      this.#timing.after(Math.max(0, due - this.#timing.now()), () => {
        if (!this.#inHand.delete(job)) return
        job.done('finished')
        this.#next(due)
      })
    }
  }

  #take(): Job {
    const job = this.#queue[this.#head] as Job
    this.#head += 1
    if (this.#head === this.#queue.length) {
      // A job that is done must not be held on to, nor whoever asked for it.
      this.#queue.length = 0
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return job
  }
}
