/** The part of opossum 10 that we use; it ships no types of its own, and `@types/opossum` stops at version 8. */
declare module 'opossum' {
  interface Options {
    timeout?: number | false
    resetTimeout?: number
    enableSnapshots?: boolean
    rollingPercentilesEnabled?: boolean
    rollingCountBuckets?: number
    rotateBucketController?: import('node:events').EventEmitter
    status?: object
    name?: string
  }

  // eslint-disable-next-line no-restricted-syntax -- that is how opossum exports it
  export default class CircuitBreaker {
    static newStatus(options: Options): object
    constructor(action: () => Promise<void>, options: Options)
    readonly closed: boolean
    open(): void
    close(): void
    shutdown(): void
  }
}
