import { Readable } from 'node:stream'
import type { Call } from '../call/call.ts'
import { bodyMadeBy } from '../call/request.ts'
import type { Body, SolidBody, StreamBody } from '../http/body.ts'
import { OptionError } from '../outcome/errors.ts'

/**
 * The body to send in this attempt. The failure of a streamed body is the caller's own error and says nothing about the
 * upstream: it goes to `failed` before it reaches undici.
 */
export function sendable(body: Body, call: Call, failed: (error: unknown) => void): SolidBody | StreamBody | null {
  const source = typeof body === 'function' ? bodyMadeBy(body) : body
  if (typeof source === 'string' || source instanceof Uint8Array) return source
  if (source instanceof Readable && source.destroyed && !source.readableEnded) {
    throw source.errored ?? new OptionError('body', 'a destroyed stream', 'a stream that can be read')
  }
  return source instanceof Readable ? source.once('error', failed) : watched(source, call, failed)
}

/** Sets the phase to `caller` while the call waits for more of the body, unless the response has begun. */
export async function* watched(
  body: StreamBody, call: Call, failed: (error: unknown) => void,
): AsyncIterable<Uint8Array | string> {
  if (body === call.body) call.replayable = false
  const waiting = (): void => { if (call.phase === 'headers') call.phase = 'caller' }
  const received = (): void => { if (call.phase === 'caller') call.phase = 'headers' }
  try {
    waiting()
    for await (const chunk of body) {
      received()
      yield chunk
      waiting()
    }
    received()
  } catch (error) {
    failed(error)
    throw error
  }
}
