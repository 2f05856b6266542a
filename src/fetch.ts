import type { Asked } from './pool/relay-request.ts'
import { Dispatcher1Wrapper, fetch as ownFetch, type Dispatcher } from './pool/undici.ts'

/** The host's own, as they are when this is loaded: what replaces them later may well be made of ours. */
const host = {
  // A host may have been started without them.
  fetch: (globalThis.fetch as typeof fetch | undefined) ?? ownFetch as unknown as typeof fetch,
  Request: globalThis.Request as typeof Request | undefined,
}

/** A body that is all there, as undici takes it; others are gone once sent. */
function solid(body: unknown): Asked['body'] | undefined {
  if (typeof body === 'string' || body instanceof Blob) return body as string
  if (body instanceof URLSearchParams) return body.toString()
  // Copied, as fetch does: the caller may go on writing to it.
  if (ArrayBuffer.isView(body)) return Buffer.copyBytesFrom(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  return body instanceof ArrayBuffer ? Buffer.from(body.slice()) : undefined
}

/** An object whose properties are its own, so that it can be copied. */
const isPlain = (init: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(init) as object | null)

/**
 * The host's `fetch` over a dispatcher of ours: its own Request, Response, streams and rules, with only the sending exchanged.
 *
 * The host's undici may be of an older major version, whose handlers are wrapped. It makes a stream of every body; one that is
 * all there is put back in its place, so that it can be sent again.
 */
export const fetchOver = (dispatcher: Dispatcher): typeof fetch => {
  const older = new Dispatcher1Wrapper(dispatcher)
  const over = (body: Asked['body'] | undefined): Pick<Dispatcher, 'dispatch'> => ({
    dispatch(asked, handler) {
      const options = body === undefined || asked.body === null || asked.body === undefined ? asked : { ...asked, body }
      return (typeof handler.onRequestStart === 'function' ? dispatcher : older).dispatch(options, handler)
    },
  })
  return async (input, init) => {
    // Options of a class would lose what hangs on their prototype.
    if (init !== undefined && !isPlain(init) && host.Request !== undefined) {
      return host.fetch(new host.Request(input, init), { dispatcher: over(undefined) } as object)
    }
    return host.fetch(input, { ...init, dispatcher: over(solid(init?.body)) } as object)
  }
}
