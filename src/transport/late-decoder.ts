import { Transform, type TransformCallback } from 'node:stream'

/**
 * A decoder that is created at the first byte of the body. Without any there is nothing to decode: a 204 or 304, and many an
 * empty 200, carry the Content-Encoding of a body that they do not have. And only the first byte tells apart the formats that
 * are sent as `deflate`.
 */
export class LateDecoder extends Transform {
  readonly #create: (first: number) => Transform
  #decoder: Transform | undefined

  constructor(create: (first: number) => Transform) {
    super()
    this.#create = create
  }

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    const [first] = chunk
    if (first === undefined) done()
    else (this.#decoder ??= this.#started(first)).write(chunk, encoding, error => { if (!error) done() })
  }

  override _flush(done: TransformCallback): void {
    if (this.#decoder === undefined) done()
    else this.#decoder.once('end', done).end()
  }

  /** Back-pressure: the decoder goes on when its output has been read. */
  override _read(size: number): void {
    this.#decoder?.resume()
    super._read(size)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder?.destroy()
    done(error)
  }

  #started(first: number): Transform {
    const decoder = this.#create(first)
    return decoder
      .on('data', (chunk: Buffer) => { if (!this.push(chunk)) decoder.pause() })
      .on('error', error => { this.destroy(error) })
  }
}
