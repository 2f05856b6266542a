/** The least size of a chunk that is kept as it is, in bytes: below it the objects around the bytes take more memory. */
const MIN_KEPT = 4_096
/** The most bytes to allocate at once for smaller chunks. */
const MAX_BLOCK = 65_536

/**
 * The chunks of a body. Chunks are slices of what was read from the socket, and each keeps all of that in memory; so small
 * ones, and slices of a much larger read, are copied together. The memory in use is at most about twice the body's size,
 * whatever the sizes of its chunks; the upstream chooses those.
 */
export class Chunks {
  readonly #done: Buffer[] = []
  /** The block that small chunks are copied to, and how much of it is used. */
  #block: Buffer | undefined
  #used = 0

  add(chunk: Buffer): void {
    if (chunk.length >= MIN_KEPT && chunk.buffer.byteLength <= 2 * chunk.length) {
      this.#finishBlock()
      this.#done.push(chunk)
      return
    }
    for (let at = 0; at < chunk.length;) {
      const block = this.#roomFor(chunk.length - at)
      const copied = chunk.copy(block, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  /** All of the body in one buffer. */
  concat(): Buffer {
    this.#finishBlock()
    const [only] = this.#done
    return only !== undefined && this.#done.length === 1 ? only : Buffer.concat(this.#done)
  }

  /** A block that is not full. Each is twice as large as the one before it, up to a limit. */
  #roomFor(wanted: number): Buffer {
    const { length = MIN_KEPT / 2 } = this.#block ?? {}
    if (this.#block !== undefined && this.#used < length) return this.#block
    this.#finishBlock()
    return (this.#block = Buffer.allocUnsafeSlow(Math.min(MAX_BLOCK, Math.max(2 * length, wanted))))
  }

  #finishBlock(): void {
    if (this.#block === undefined) return
    this.#done.push(this.#block.subarray(0, this.#used))
    this.#block = undefined
    this.#used = 0
  }
}
