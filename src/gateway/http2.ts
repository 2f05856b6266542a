import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'

/** The stream of a request or response, if it came from a server of node:http2, whose objects are nearly those of node:http. */
export const streamOf = (message: IncomingMessage | ServerResponse): ServerHttp2Stream | undefined =>
  (message as { stream?: ServerHttp2Stream }).stream

/** Resets the stream of a response: the end of a stream without an error would make the response look complete. */
export const resetStream = (stream: ServerHttp2Stream): void => { stream.close(constants.NGHTTP2_INTERNAL_ERROR) }

/** The host that a request names: over HTTP/2 in a pseudo-field. */
export const hostOf = ({ headers }: IncomingMessage): string | undefined =>
  (headers[':authority'] as string | undefined) ?? headers.host
