import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'

interface Coding {
  readonly whole: (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>
  readonly piecewise: () => Transform
}

/** Content codings in the order in which they are undone. */
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
/** Codings on top of each other; nobody sends more than one, a bomb might. */
const DEEPEST = 4

/** The codings to undo, the outermost first; undefined if one of them is unknown, and the body stays as it is. */
export function codingsOf(header: string | string[] | undefined): Codings | undefined {
  if (header === undefined) return []
  const names = String(header).toLowerCase().split(',').map(name => name.trim())
  const codings = names.filter(name => name !== '' && name !== 'identity').map(name => CODINGS.get(name))
  if (codings.length > DEEPEST || codings.includes(undefined)) return undefined
  return (codings as Coding[]).reverse()
}

/** How long the coded form of `max` bytes may be: what can't be packed grows a little. */
const coded = (max: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(max + max / 1_000 + 1_024))

/** How long a body may be on the wire, if `max` bytes may be left when it is decoded. */
export const mostOnWire = (header: string | string[] | undefined, max: number): number =>
  header === undefined || (codingsOf(header) ?? []).length === 0 ? max : coded(max)

/**
 * Undoes the content codings (RFC 9110 §8.4) of a body that is all there, into at most `max` bytes; no step before the
 * last gives more than the coded form of that. zlib works on a thread of its own, so a large body does not block the event loop.
 *
 * @throws RangeError (`ERR_BUFFER_TOO_LARGE`) past `max`; zlib's error for data that is damaged or cut short.
 */
export async function decode(body: Buffer, codings: Codings, max: number): Promise<Buffer> {
  let decoded = body
  for (const [index, coding] of codings.entries()) {
    const most = index === codings.length - 1 ? Math.max(1, max) : coded(max)
    decoded = await coding.whole(decoded, { maxOutputLength: most })
  }
  return decoded
}

/** The same for a stream: what to pipe it through, in this order. */
export const decoders = (codings: Codings): Transform[] => codings.map(coding => coding.piecewise())
