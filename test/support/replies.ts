import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Answers one request of a test server. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** What `echo` says of the request it saw. */
export interface Echo {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly headers: Record<string, string | string[]>
  readonly body: string
}

/** Answers with a status, headers and a body of known length. */
export const status = (code: number, headers: OutgoingHttpHeaders = {}, body: string | Uint8Array = ''): Handler =>
  (request, response) => {
    request.resume()
    const length = code === 204 || code === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
    response.writeHead(code, { ...length, ...headers })
    response.end(body)
  }

/** Answers with `body` as JSON. */
export const json = (body: unknown, code = 200, headers: OutgoingHttpHeaders = {}): Handler =>
  status(code, { 'content-type': 'application/json', ...headers }, JSON.stringify(body))

/** Answers with what it was asked, as an {@link Echo} in JSON, once the request's body is complete. */
export const echo: Handler = (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { method = '', url = '', httpVersion, headers } = request
    const seen = { method, url, httpVersion, headers, body: Buffer.concat(chunks).toString() }
    void json(seen)(request, response)
  })
}

/** Answers with the chunks of `body`, each written when the client has taken the last. */
export const stream = (body: Iterable<string | Uint8Array>, headers: OutgoingHttpHeaders = {}): Handler =>
  async (request, response) => {
    request.resume()
    response.writeHead(200, headers)
    let wake = (): void => {}
    response.on('drain', () => wake()).on('close', () => wake())
    for (const chunk of body) {
      if (response.destroyed) return
      if (!response.write(chunk)) await new Promise<void>(resolve => { wake = resolve })
    }
    response.end()
  }

/** Answers the first request as the first handler does, and so on; the last one answers all that follow. */
export const inTurn = (...handlers: [Handler, ...Handler[]]): Handler => {
  let turn = 0
  return (request, response) => handlers[Math.min(turn++, handlers.length - 1)]!(request, response)
}

/** Answers by path (without the query); 404 where none fits. */
export const byPath = (handlers: Record<string, Handler>): Handler => (request, response) =>
  (handlers[pathOf(request.url)] ?? status(404))(request, response)

/** The path of a request target, without its query. */
export const pathOf = (url = '/'): string => url.split('?', 1)[0]!

/** A handler that waits to be let go, in place of a delay. */
export interface Gate {
  readonly handler: Handler
  /** Requests held now; one whose client has gone is not. */
  readonly waiting: number
  /** Answers the `count` requests held longest; with no count, all of them and all that come later. */
  release(count?: number): void
}

/** Holds each request until the test releases it, then answers it by `answer`. */
export const hold = (answer: Handler = json({ ok: true })): Gate => {
  const held = new Map<ServerResponse, () => void>()
  let open = false
  return {
    handler: (request, response) => {
      if (open) return answer(request, response)
      held.set(response, () => void answer(request, response))
      response.once('close', () => held.delete(response))
    },
    get waiting(): number { return held.size },
    release(count = Infinity): void {
      open ||= count === Infinity
      for (const [response, go] of [...held].slice(0, count)) {
        held.delete(response)
        go()
      }
    },
  }
}
