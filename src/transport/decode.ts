import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'

interface Coding {
  readonly whole: (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>
  readonly piecewise: () => Transform
}

/** Content codings in the order in which they are decoded. */
export type Codings = readonly Coding[]

const gzip: Coding = { whole: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip), piecewise: () => zlib.createGunzip() }
const deflate: Coding = {
  whole: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate), piecewise: () => zlib.createInflate(),
}
const brotli: Coding = {
  whole: promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress), piecewise: () => zlib.createBrotliDecompress(),
}
const zstd: Coding = {
  whole: promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress), piecewise: () => zlib.createZstdDecompress(),
}

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', gzip], ['x-gzip', gzip], ['deflate', deflate], ['br', brotli], ['zstd', zstd],
])
/** The most codings on top of each other. Normal replies have one; many are a sign of a decompression bomb. */
const MAX_CODINGS = 4

/** The codings to decode, the outermost first; undefined if one is unknown, and then the body is left encoded. */
export function codingsOf(header: string | string[] | undefined): Codings | undefined {
  if (header === undefined) return []
  const names = String(header).toLowerCase().split(',').map(name => name.trim())
  const codings = names.filter(name => name !== '' && name !== 'identity').map(name => CODINGS.get(name))
  if (codings.length > MAX_CODINGS || codings.includes(undefined)) return undefined
  return (codings as Coding[]).reverse()
}

/** The maximum size of `max` bytes when encoded: data that cannot be compressed grows a little. */
const encodedSize = (max: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(max + max / 1_000 + 1_024))

/** The maximum size of a body on the wire, if it may have `max` bytes when decoded. */
export const maxOnWire = (header: string | string[] | undefined, max: number): number =>
  header === undefined || (codingsOf(header) ?? []).length === 0 ? max : encodedSize(max)

/**
 * Decodes the content codings (RFC 9110 §8.4) of a buffered body into at most `max` bytes; no intermediate result is larger
 * than the encoded form of that. zlib runs on its own threads, so a large body does not block the event loop.
 *
 * @throws RangeError (`ERR_BUFFER_TOO_LARGE`) beyond `max`; zlib's error for damaged or truncated data.
 */
export async function decode(body: Buffer, codings: Codings, max: number): Promise<Buffer> {
  let decoded = body
  for (const [index, coding] of codings.entries()) {
    const maxOutput = index === codings.length - 1 ? Math.max(1, max) : encodedSize(max)
    decoded = await coding.whole(decoded, { maxOutputLength: maxOutput })
  }
  return decoded
}

/** The decoders for a stream, in the order to pipe it through. */
export const decoders = (codings: Codings): Transform[] => codings.map(coding => coding.piecewise())
