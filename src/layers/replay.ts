import type { Call } from '../call.ts'
import type { Env } from '../clock.ts'
import { ConnectionError } from '../errors.ts'
import type { Layer } from '../layer.ts'

/**
 * Sends a call once more, at once and free of charge, when the connection it was given turned out to be stale (a
 * kept-alive socket
 * that the other side had closed) or an HTTP/2 stream was refused unprocessed. Neither says anything about the
 * upstream.
 */
export const replay = (env: Env): Layer => next => call => next(call).catch((error: unknown) => {
  if (!isReplayable(error, call)) throw error
  call.replayed = true
  call.trace.mark('sent again on a fresh connection', env.clock.now())
  return next(call)
})

const isReplayable = (error: unknown, call: Call): boolean =>
  error instanceof ConnectionError && error.blame === 'nobody' && !call.replayed && !call.cancelled && call.replayable
  && (call.idempotent || error.sent === 'never')
