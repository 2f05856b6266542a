import type { Readable } from 'node:stream'

/** A buffered body, which can be sent any number of times. */
export type SolidBody = string | Uint8Array

/** A body that is consumed as it is sent. */
export type StreamBody = Readable | AsyncIterable<Uint8Array | string>

/** A request body. A factory makes a fresh one for each attempt, so that a streamed body can be sent again. */
export type Body = SolidBody | StreamBody | (() => SolidBody | StreamBody)

/** Whether a body can be sent only once. */
export const isOneShot = (body: Body | undefined): boolean =>
  typeof body === 'object' && !(body instanceof Uint8Array)
