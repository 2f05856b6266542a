import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fieldOf, type DispatchOptions } from '../../transport/dispatch-options.ts'
import { Dispatcher1Wrapper, fetch as ownFetch, type Dispatcher } from '../../transport/undici.ts'

/** The host's own functions, saved when this module is loaded: a later replacement may be built on ours. */
const host = {
  // Node may have been started without them.
  fetch: (globalThis.fetch as typeof fetch | undefined) ?? ownFetch as unknown as typeof fetch,
  Request: globalThis.Request as typeof Request | undefined,
}

/** The size up to which a request body is buffered, so that it can be sent again. */
const MAX_BUFFERED = 1_048_576

/** Whether an object has no inherited properties that a copy would lose. */
const isPlainObject = (init: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(init) as object | null)

/** Whether a body is a stream only because fetch turns every body into one: a known length shows that it was buffered. */
const isBufferable = ({ body, headers }: DispatchOptions): boolean =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body
  && Number(fieldOf(headers, 'content-length')) <= MAX_BUFFERED

/** Buffers a body; if that fails, returns a stream that fails with the same error when it is sent. */
const buffered = (body: Readable): Promise<Buffer | Readable> =>
  buffer(body).catch((error: unknown) => new Readable({ read() { this.destroy(error as Error) } }))

/**
 * Adapts a dispatcher for the host's `fetch`.
 *
 * The host's undici may be an older major version, whose handlers are wrapped. It turns every body into a stream; one with a
 * known length is buffered first, so that it can be sent again.
 */
export const forHost = (dispatcher: Dispatcher): Pick<Dispatcher, 'dispatch'> => {
  const older = new Dispatcher1Wrapper(dispatcher)
  return {
    dispatch(options, handler) {
      const target = typeof handler.onRequestStart === 'function' ? dispatcher : older
      if (!isBufferable(options)) return target.dispatch(options, handler)
      void buffered(options.body as Readable).then(body => target.dispatch({ ...options, body }, handler))
      return true
    },
  }
}

/** The host's `fetch`, with its own Request, Response and streams, sending through a dispatcher. */
export const fetchOver = (dispatcher: Dispatcher): typeof fetch => {
  const adapted = forHost(dispatcher)
  return async (input, init) => {
    // A copy of a class instance would lose its inherited properties.
    const { fetch, Request } = host
    const canCopy = init === undefined || isPlainObject(init) || Request === undefined
    const [request, options] = canCopy ? [input, init] : [new Request(input, init), undefined]
    return fetch(request, { ...options, dispatcher: adapted } as object)
  }
}
