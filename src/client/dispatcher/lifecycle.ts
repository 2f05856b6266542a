import { errors } from '../../transport/undici.ts'

/** What `close()` and `destroy()` call back, as undici's dispatchers do. */
export type LifeCallback = (error: Error | null, data: null) => void

/** How a dispatcher ends its requests. */
export interface Ending {
  /** Waits for the requests in flight. */
  finish(): Promise<void>
  /** Ends them with an error. */
  abort(error: Error): void
}

/**
 * `close()` and `destroy()` word for word as undici's dispatchers have them: each may be called twice, takes a callback or
 * returns a promise, refuses as a callback what is no function, and `destroyed` becomes true only when a `close()` has ended.
 */
export class Lifecycle {
  closed = false
  destroyed = false
  readonly #ending: Ending
  #onClosed: LifeCallback[] | undefined

  constructor(ending: Ending) {
    this.#ending = ending
  }

  /** @throws undici's InvalidArgumentError for a callback that is no function. */
  close(callback?: unknown): Promise<null> | undefined {
    if (callback === undefined) return promised(done => { this.#close(done) })
    this.#close(checked(callback))
    return undefined
  }

  /** @throws undici's InvalidArgumentError for a callback that is no function. */
  destroy(error?: unknown, callback?: unknown): Promise<null> | undefined {
    if (typeof error === 'function') return this.destroy(null, error)
    if (callback === undefined) return promised(done => { this.#destroy(error, done) })
    this.#destroy(error, checked(callback))
    return undefined
  }

  #close(callback: LifeCallback): void {
    if (this.destroyed) {
      const error = new errors.ClientDestroyedError()
      // undici passes null in place of no data.
      queueMicrotask(() => { callback(error, null) })
    } else if (this.#onClosed !== undefined) this.#onClosed.push(callback)
    else if (this.closed) queueMicrotask(() => { callback(null, null) })
    else {
      this.closed = true
      this.#onClosed = [callback]
      void this.#finish()
    }
  }

  async #finish(): Promise<void> {
    await this.#ending.finish()
    await this.destroy()
    queueMicrotask(() => {
      const callbacks = this.#onClosed ?? []
      this.#onClosed = undefined
      for (const callback of callbacks) callback(null, null)
    })
  }

  #destroy(error: unknown, callback: LifeCallback): void {
    const wasDestroyed = this.destroyed
    this.destroyed = true
    if (!wasDestroyed) this.#ending.abort((error || new errors.ClientDestroyedError()) as Error)
    queueMicrotask(() => { callback(null, null) })
  }
}

const checked = (callback: unknown): LifeCallback => {
  if (typeof callback !== 'function') throw new errors.InvalidArgumentError('invalid callback')
  return callback as LifeCallback
}

const promised = (run: (done: LifeCallback) => void): Promise<null> => new Promise((resolve, reject) => {
  run((error, data) => {
    if (error === null) resolve(data)
    else reject(error)
  })
})
