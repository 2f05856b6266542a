import { buffer } from 'node:stream/consumers'
import { Readable, type Duplex } from 'node:stream'
import * as zlib from 'node:zlib'
import { fault, type Fault } from './fault.ts'
import { reply } from './wire.ts'

/** A coding as it is named on the wire; `deflate-raw` goes under `deflate`, as careless servers send it. */
export type Coding = 'gzip' | 'deflate' | 'deflate-raw' | 'br' | 'zstd'

const encoders: Record<Coding, () => Duplex> = {
  'gzip': () => zlib.createGzip(),
  'deflate': () => zlib.createDeflate(),
  'deflate-raw': () => zlib.createDeflateRaw(),
  'br': () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
  'zstd': () => zlib.createZstdCompress(),
}

const encode = (coding: Coding, body: Iterable<Uint8Array>): Promise<Buffer> =>
  buffer(Readable.from(body).pipe(encoders[coding]()))

const reply200 = (coding: string, body: Uint8Array): Buffer =>
  reply(200, body, [['content-type', 'text/plain'], ['content-encoding', coding.replace('-raw', '')]])

/** Answers with `body`, encoded well: no fault at all, but its `fired` counts the replies. */
export const encoded = (coding: Coding, body = 'hello, '.repeat(100)): Fault => {
  const bytes = encode(coding, [Buffer.from(body)])
  return fault(`encoded(${coding})`, ({ socket }, fire) => {
    void bytes.then(ready => socket.write(reply200(coding, ready), () => fire()))
  }, { ready: bytes })
}

const MIB = Buffer.alloc(1024 * 1024)
const bombs = new Map<string, Promise<Buffer>>()

/** `mib` MiB of zeros in one compressed stream, made once for each coding and size. */
const bomb = (coding: Coding, mib: number): Promise<Buffer> => {
  const key = `${coding} ${mib}`
  const made = bombs.get(key) ?? encode(coding, Array<Buffer>(mib).fill(MIB))
  bombs.set(key, made)
  return made
}

/** Answers with a small compressed body that decodes to `mib` MiB. */
export const gzipBomb = (mib = 200, coding: Coding = 'gzip'): Fault => {
  const bytes = bomb(coding, mib)
  return fault(`gzipBomb(${mib}, ${coding})`, ({ socket }, fire) => {
    void bytes.then(ready => socket.write(reply200(coding, ready), () => fire()))
  }, { ready: bytes })
}

/** Answers with the first half of a gzip stream, under a Content-Length that is true of that half. */
export const truncatedGzip = (): Fault => {
  // Incompressible to a degree, so that half a stream holds something.
  const whole = zlib.gzipSync(Array.from({ length: 1000 }, (_, i) => `line ${i * 7919 % 1000}`).join('\n'))
  return fault('truncatedGzip', ({ socket }, fire) => {
    socket.write(reply200('gzip', whole.subarray(0, whole.length / 2)), () => fire())
  })
}

/** Says the body is encoded though it is plain text. */
export const lyingContentEncoding = (claimed = 'gzip'): Fault =>
  fault('lyingContentEncoding', ({ socket }, fire) => {
    socket.write(reply200(claimed, Buffer.from('plainly not compressed')), () => fire())
  })
