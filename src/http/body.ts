import type { Readable } from 'node:stream'

/** A buffered body, which can be sent any number of times. */
export type SolidBody = string | Uint8Array

/** A body that is consumed as it is sent. */
export type StreamBody = Readable | AsyncIterable<Uint8Array | string>

/** A request body. A factory makes a fresh one for each attempt, so that a streamed body can be sent again. */
export type Body = SolidBody | StreamBody | (() => SolidBody | StreamBody)

/** Releases what a streamed body holds, such as a file descriptor, when it will not be sent (any more). */
export function release(body: Body | undefined): void {
  if (body === undefined || !isOneShot(body)) return
  const { destroy, cancel } = body as { destroy?: () => void; cancel?: () => Promise<void> }
  if (typeof destroy === 'function') destroy.call(body)
  // A ReadableStream; a locked one is being read, and its reader ends it.
  else if (typeof cancel === 'function') cancel.call(body).catch(() => undefined)
}

/** Whether a body can be sent only once. */
export const isOneShot = (body: Body | undefined): boolean =>
  typeof body === 'object' && !(body instanceof Uint8Array)
