import { Readable } from 'node:stream'
import type { Body, SolidBody, StreamBody } from '../call.ts'

/**
 * The body to send in this attempt. When a streamed one fails, that is the caller's own error and says nothing about
 * the upstream: `failed` hears it before undici does.
 */
export function sendable(body: Body, failed: (error: unknown) => void): SolidBody | StreamBody | null {
  const made = typeof body === 'function' ? body() : body
  if (typeof made === 'string' || made instanceof Uint8Array) return made
  return made instanceof Readable ? made.once('error', failed) : watched(made, failed)
}

async function* watched(body: StreamBody, failed: (error: unknown) => void): AsyncIterable<Uint8Array | string> {
  try {
    yield* body
  } catch (error) {
    failed(error)
    throw error
  }
}
