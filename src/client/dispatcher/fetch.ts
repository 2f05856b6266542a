import type { Readable } from 'node:stream'
import { systemEnv, type Timer } from '../../clock.ts'
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

/**
 * How long to wait for a body, in ms. A body that was buffered all along is there within some turns of the event loop; any other
 * is the caller's stream, and is sent as it comes: then the call has begun, and its time limits apply.
 */
const MAX_WAIT = 250

/** Buffers a body that is there. Otherwise returns all of it as a stream: it is late, or has failed and fails again. */
async function buffered(body: AsyncIterable<Uint8Array>): Promise<Buffer | AsyncIterable<Uint8Array>> {
  const iterator = body[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  const late = lateness()
  try {
    for (;;) {
      const next = iterator.next()
      const first = await Promise.race([next, late.promise]).catch(() => undefined)
      if (first === undefined) return rest(chunks, next, iterator)
      if (first.done === true) return Buffer.concat(chunks)
      chunks.push(first.value)
    }
  } finally {
    late.cancel()
  }
}

/** A promise that resolves to undefined after {@link MAX_WAIT} ms, in which this process did not stand still. */
function lateness(): { readonly promise: Promise<undefined>; cancel(): void } {
  const { clock } = systemEnv
  let timer: Timer | undefined
  const promise = new Promise<undefined>(resolve => {
    const wait = (): void => {
      const since = clock.now()
      timer = clock.after(MAX_WAIT, () => {
        if (clock.stalledAt >= since) wait()
        else resolve(undefined)
      })
    }
    wait()
  })
  return { promise, cancel: () => { timer?.cancel() } }
}

async function* rest(
  chunks: readonly Uint8Array[], pending: Promise<IteratorResult<Uint8Array>>, iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
    for (let next = await pending; next.done !== true; next = await iterator.next()) yield next.value
  } finally {
    // Not awaited, as the caller may never answer; it knows of its own failure.
    iterator.return?.().catch(() => undefined)
  }
}

/**
 * Adapts a dispatcher for the host's `fetch`.
 *
 * The host's undici may be an older major version, whose handlers are wrapped. It turns every body into a stream; one with a
 * known length is buffered first if it is there, so that it can be sent again.
 */
export const forHost = (dispatcher: Dispatcher): Pick<Dispatcher, 'dispatch'> => {
  const older = new Dispatcher1Wrapper(dispatcher)
  return {
    dispatch(options, handler) {
      const target = typeof handler.onRequestStart === 'function' ? dispatcher : older
      if (!isBufferable(options)) return target.dispatch(options, handler)
      void buffered(options.body as Readable).then(body => target.dispatch({ ...options, body: body as Readable }, handler))
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
