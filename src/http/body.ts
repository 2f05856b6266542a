import type { Readable } from 'node:stream'

/** A body that can be sent as often as needed, because it is all there. */
export type SolidBody = string | Uint8Array

/** A body that is consumed as it is sent. */
export type StreamBody = Readable | AsyncIterable<Uint8Array | string>

/** A request body. A factory makes a fresh one for each attempt, so that a streamed body can be sent again. */
export type Body = SolidBody | StreamBody | (() => SolidBody | StreamBody)

/** Whether a body is gone once it has been sent. */
export const isOneShot = (body: Body | undefined): boolean =>
  typeof body === 'object' && !(body instanceof Uint8Array)
