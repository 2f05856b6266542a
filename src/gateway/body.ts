import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { OptionError } from '../outcome/errors.ts'

/** Whether a request has a body, by its framing. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/**
 * The body of a request as a stream of its own: undici destroys a body it has no more use for, and to destroy a request is to
 * hang up on its client, who has yet to be answered. What nobody has read by then is read and dropped.
 * @throws OptionError when it has been read before.
 */
export function bodyOf(req: IncomingMessage): Readable | undefined {
  if (!hasBody(req)) return undefined
  // To wait for what somebody else has read would be in vain.
  if (req.readableDidRead) {
    const sentence = 'the body of the request has been read already: put the gateway before whatever parses bodies'
    throw new OptionError('request', 'a body that has been read', 'a request whose body is unread', sentence)
  }
  req.pause()
  const body = new Readable({ read: () => { req.resume() } })
  req.on('data', (chunk: Buffer) => { if (!body.destroyed && !body.push(chunk)) req.pause() })
  req.once('end', () => { if (!body.destroyed) body.push(null) })
  req.once('error', error => { body.destroy(error) })
  // Whoever reads it hears of the error as well.
  body.once('error', () => {})
  body.once('close', () => { req.resume() })
  return body
}
