import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fieldOf, type DispatchOptions } from '../../transport/dispatch-options.ts'
import { Dispatcher1Wrapper, fetch as ownFetch, type Dispatcher } from '../../transport/undici.ts'

/** The host's own, as they are when this is loaded: what replaces them later may well be made of ours. */
const host = {
  // A host may have been started without them.
  fetch: (globalThis.fetch as typeof fetch | undefined) ?? ownFetch as unknown as typeof fetch,
  Request: globalThis.Request as typeof Request | undefined,
}

/** Bytes of a request body that are kept at most, so that they can be sent again. */
const MOST_KEPT = 1_048_576

/** An object whose properties are its own, so that it can be copied. */
const isPlainObject = (init: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(init) as object | null)

/** Whether a body is a stream only because fetch makes one of each: its length is known, as it is all there. */
const isWhole = ({ body, headers }: DispatchOptions): boolean =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body
  && Number(fieldOf(headers, 'content-length')) <= MOST_KEPT

/** Reads a body; one that fails does so again when it is sent. */
const read = (body: Readable): Promise<Buffer | Readable> =>
  buffer(body).catch((error: unknown) => new Readable({ read() { this.destroy(error as Error) } }))

/**
 * A dispatcher of ours as the host's `fetch` needs it.
 *
 * The host's undici may be of an older major version, whose handlers are wrapped. It makes a stream of every body; one whose
 * length is known is read first, so that it can be sent again.
 */
export const forHost = (dispatcher: Dispatcher): Pick<Dispatcher, 'dispatch'> => {
  const older = new Dispatcher1Wrapper(dispatcher)
  return {
    dispatch(asked, handler) {
      const used = typeof handler.onRequestStart === 'function' ? dispatcher : older
      if (!isWhole(asked)) return used.dispatch(asked, handler)
      void read(asked.body as Readable).then(body => used.dispatch({ ...asked, body }, handler))
      return true
    },
  }
}

/** The host's `fetch` with its sending exchanged: its own Request, Response, streams and rules over a dispatcher of ours. */
export const fetchOver = (dispatcher: Dispatcher): typeof fetch => {
  const over = forHost(dispatcher)
  return async (input, init) => {
    // Options of a class would lose what hangs on their prototype.
    const { fetch, Request } = host
    const isCopied = init === undefined || isPlainObject(init) || Request === undefined
    const [what, how] = isCopied ? [input, init] : [new Request(input, init), undefined]
    return fetch(what, { ...how, dispatcher: over } as object)
  }
}
