import { constants, type Http2ServerResponse } from 'node:http2'
import { json, type Handler } from './replies.ts'

/** A handler for a server of protocol `h2` that does harm, and counts it. */
export interface H2Fault {
  readonly handler: Handler
  readonly fired: number
}

/** Does `harm` to the first `times` streams from id `from` on, and answers all others. */
const h2Fault = (harm: (response: Http2ServerResponse) => void, times: number, from = 1): H2Fault => {
  const otherwise = json({ ok: true })
  let fired = 0
  return {
    get fired(): number { return fired },
    handler: (request, response) => {
      const h2 = response as unknown as Http2ServerResponse
      if (fired >= times || (h2.stream.id ?? 0) < from) return otherwise(request, response)
      fired++
      harm(h2)
    },
  }
}

/** Refuses streams with REFUSED_STREAM, which promises that nothing was processed. */
export const refuseStream = (times = Infinity): H2Fault =>
  h2Fault(({ stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM), times)

/** Resets streams with INTERNAL_ERROR, which promises nothing. */
export const resetStream = (times = Infinity): H2Fault =>
  h2Fault(({ stream }) => stream.close(constants.NGHTTP2_INTERNAL_ERROR), times)

/**
 * Sends GOAWAY with a last stream id below the stream asked for, which was therefore never processed, and closes.
 * The first stream of a connection is always answered: Node cannot send a GOAWAY that names none.
 */
export const goAway = (times = 1): H2Fault =>
  h2Fault(({ stream }) => {
    stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2)
    stream.session?.close()
  }, times, 3)
