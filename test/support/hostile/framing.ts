import { fault, type Fault } from './fault.ts'
import { head, reply, reset, type WireHeaders } from './wire.ts'

/** What to do with the connection once the bytes are sent. */
export type Ending = 'keep' | 'end' | 'reset'

/** Answers with exactly these bytes, then ends, resets or keeps the connection. Most faults of framing are just this. */
export const raw = (bytes: string | Uint8Array, ending: Ending = 'keep', name = 'raw'): Fault =>
  fault(name, ({ socket }, fire) => {
    if (ending === 'reset') reset(socket, bytes, fire)
    else if (ending === 'end') socket.end(bytes, fire)
    else socket.write(bytes, () => fire())
  })

/** Ends the connection cleanly in the middle of a chunk. */
export const truncatedChunked = (): Fault =>
  raw(`${head(200, [['transfer-encoding', 'chunked']])}400\r\n${'x'.repeat(100)}`, 'end', 'truncatedChunked')

/** Ends the connection cleanly between two chunks, without the last, empty one. */
export const unendedChunked = (): Fault =>
  raw(`${head(200, [['transfer-encoding', 'chunked']])}5\r\nhello\r\n`, 'end', 'unendedChunked')

/** Sends a chunk whose size is no number. */
export const badChunkSize = (): Fault =>
  raw(`${head(200, [['transfer-encoding', 'chunked']])}5\r\nhello\r\nzz\r\nworld\r\n`, 'keep', 'badChunkSize')

/** Promises 1000 bytes, sends 10 and ends the connection cleanly. */
export const shortContentLength = (ending: Ending = 'end'): Fault =>
  raw(head(200, [['content-length', 1000]]) + '0123456789', ending, 'shortContentLength')

/** A body that ends where the connection does, which is allowed; ended by a reset it is truncated, if one can tell. */
export const closeDelimited = (body = 'all of it', ending: 'end' | 'reset' = 'end'): Fault =>
  raw(head(200, [['connection', 'close']]) + body, ending, `closeDelimited(${ending})`)

/** Promises an enormous body, sends its beginning and falls silent. */
export const hugeContentLength = (length = '9007199254740991'): Fault =>
  raw(head(200, [['content-length', length]]) + 'x'.repeat(1000), 'keep', 'hugeContentLength')

/** Sends two Content-Length headers that disagree. */
export const duplicateContentLength = (): Fault =>
  raw(head(200, [['content-length', 5], ['content-length', 6]]) + 'hello!', 'keep', 'duplicateContentLength')

/** Sends both Content-Length and Transfer-Encoding: the beginning of a smuggled reply. */
export const lengthAndChunked = (): Fault => {
  const headers: WireHeaders = [['content-length', 5], ['transfer-encoding', 'chunked']]
  return raw(`${head(200, headers)}5\r\nhello\r\n0\r\n\r\n`, 'keep', 'lengthAndChunked')
}

/** Sends one more reply than it was asked for. */
export const extraReply = (): Fault =>
  raw(Buffer.concat([reply(200, 'asked'), reply(200, 'unasked')]), 'keep', 'extraReply')

/** Sends bytes that are no HTTP where the status line should be. */
export const garbageStatusLine = (line = 'SSH-2.0-OpenSSH_9.9\r\n'): Fault => raw(line, 'keep', 'garbageStatusLine')

/** Sends a status of three zeros. */
export const statusZero = (): Fault => raw(head('000', [['content-length', 0]]), 'keep', 'statusZero')

/** Switches protocols though nobody asked. */
export const unaskedUpgrade = (): Fault =>
  raw(head(101, [['connection', 'upgrade'], ['upgrade', 'nonsense']]) + 'hello', 'keep', 'unaskedUpgrade')
