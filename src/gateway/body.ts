import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { OptionError } from '../outcome/errors.ts'
import { streamOf } from './http2.ts'

/** Whether a request has a body, judged by its framing; over HTTP/2 its header ends the stream if it has none. */
export function hasBody(req: IncomingMessage): boolean {
  const { headers } = req
  const stream = streamOf(req)
  if (stream !== undefined) return !stream.endAfterHeaders
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * The body of a request as a separate stream: undici destroys a body it no longer needs, and destroying the request itself would
 * close the connection of a client that has not had its response. The unread rest of the body is read and dropped.
 * @throws OptionError when the body has been read already.
 */
export function bodyStreamOf(req: IncomingMessage): Readable | undefined {
  if (!hasBody(req)) return undefined
  // Waiting for a body that has been read would never end.
  if (req.readableDidRead) {
    const sentence = 'the body of the request has been read already: put the gateway before all body parsers'
    throw new OptionError('request', 'a body that has been read', 'a request whose body is unread', sentence)
  }
  req.pause()
  const body = new Readable({ read: () => { req.resume() } })
  req.on('data', (chunk: Buffer) => { if (!body.destroyed && !body.push(chunk)) req.pause() })
  req.once('end', () => { if (!body.destroyed) body.push(null) })
  req.once('error', error => { body.destroy(error) })
  // The reader of the body gets the error as well.
  body.once('error', () => {})
  body.once('close', () => { req.resume() })
  return body
}
