import { Readable } from 'node:stream'
import type { Call } from '../call/call.ts'
import { bodyMadeBy } from '../call/request.ts'
import type { Body, SolidBody, StreamBody } from '../http/body.ts'

/**
 * The body to send in this attempt. When a streamed one fails, that is the caller's own error and says nothing about
 * the upstream: `failed` hears it before undici does.
 */
export function sendable(body: Body, call: Call, failed: (error: unknown) => void): SolidBody | StreamBody | null {
  const made = typeof body === 'function' ? bodyMadeBy(body) : body
  if (typeof made === 'string' || made instanceof Uint8Array) return made
  return made instanceof Readable ? made.once('error', failed) : watched(made, call, failed)
}

/** Notes when it is the caller who is waited for: not the upstream, and not its reply if that has begun. */
export async function* watched(
  body: StreamBody, call: Call, failed: (error: unknown) => void,
): AsyncIterable<Uint8Array | string> {
  if (body === call.body) call.replayable = false
  const asked = (): void => { if (call.phase === 'headers') call.phase = 'caller' }
  const heard = (): void => { if (call.phase === 'caller') call.phase = 'headers' }
  try {
    asked()
    for await (const chunk of body) {
      heard()
      yield chunk
      asked()
    }
    heard()
  } catch (error) {
    failed(error)
    throw error
  }
}
