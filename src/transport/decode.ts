import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { ResponseError, type CallReport } from '../outcome/errors.ts'
import { LateDecoder } from './late-decoder.ts'

interface Coding {
  readonly whole: (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>
  /** @param first - the first byte of the body. */
  readonly piecewise: (first: number) => Transform
}

/** Content codings in the order in which they are decoded. */
export type Codings = readonly Coding[]

const inflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate)
const inflateRaw = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw)
/** Whether a `deflate` body is in zlib's format, as it should be. Some servers leave out its header (RFC 9110 §8.4.1.2). */
const isZlib = (first: number): boolean => (first & 0x0f) === 8
/** A frame may ask for a window of 128 MiB; a content coding may use no more than 8 MiB (RFC 9659). */
const ZSTD_WINDOW = { params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } }

const gzip: Coding = { whole: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip), piecewise: () => zlib.createGunzip() }
const deflate: Coding = {
  whole: (body, limits) => (isZlib(body[0] ?? 0) ? inflate : inflateRaw)(body, limits),
  piecewise: first => (isZlib(first) ? zlib.createInflate() : zlib.createInflateRaw()),
}
const brotli: Coding = {
  whole: promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress), piecewise: () => zlib.createBrotliDecompress(),
}
const zstdDecompress = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress)
const zstd: Coding = {
  whole: (body, limits) => zstdDecompress(body, { ...ZSTD_WINDOW, ...limits }),
  piecewise: () => zlib.createZstdDecompress(ZSTD_WINDOW),
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
    // Nothing was encoded.
    if (decoded.length === 0) break
    const maxOutput = index === codings.length - 1 ? Math.max(1, max) : encodedSize(max)
    decoded = await coding.whole(decoded, { maxOutputLength: maxOutput })
  }
  return decoded
}

/** The failure to decode a body, as an error for the caller. @param max - the limit for the decoded body, in bytes. */
export function decodeError(error: unknown, trace: CallReport, coding: string, max: number): ResponseError {
  switch ((error as { code?: unknown }).code) {
    // In both cases the upstream works as it is meant to, and would send the same again.
    case 'ERR_BUFFER_TOO_LARGE': return new ResponseError(trace, `body longer than ${max} bytes when decoded`, 'healthy')
    case 'ZSTD_error_frameParameter_windowTooLarge':
      return new ResponseError(trace, 'body that needs a zstd window of more than 8 MiB', 'healthy')
    default: return new ResponseError(trace, `damaged or truncated ${coding} body`, 'gateway', error)
  }
}

/** The decoders for a stream, in the order to pipe it through. */
export const decoders = (codings: Codings): Transform[] => codings.map(coding => new LateDecoder(coding.piecewise))
