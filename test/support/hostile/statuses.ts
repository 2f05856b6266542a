import { fault, type Fault } from './fault.ts'
import { reply, type WireHeaders } from './wire.ts'

/** Answers well. Not a fault: what a recovery looks like. `fired` counts the replies. */
export const healthy = (body = 'ok', headers: WireHeaders = []): Fault =>
  fault('healthy', ({ socket }, fire) => socket.write(reply(200, body, headers), () => fire()))

/** Answers with one status after another; the last one for all that follow. Fires for each of 400 and above. */
export const statusSequence = (statuses: readonly [number, ...number[]], headers: WireHeaders = []): Fault => {
  let turn = 0
  return fault(`statusSequence(${statuses.join(', ')})`, ({ socket }, fire) => {
    const status = statuses[Math.min(turn++, statuses.length - 1)]!
    socket.write(reply(status, `status ${status}`, headers), () => { if (status >= 400) fire() })
  })
}

/** Answers with 503, or another status, and this Retry-After. */
export const retryAfter = (value: string | number, status = 503): Fault =>
  fault(`retryAfter(${value})`, ({ socket }, fire) => {
    socket.write(reply(status, 'later', [['retry-after', value]]), () => fire())
  })

/** One fault for the first request, the next for the second, the last for all that follow. Fires as they do. */
export const faultsInTurn = (...faults: readonly [Fault, ...Fault[]]): Fault => {
  let turn = 0
  const distinct = [...new Set(faults)]
  return {
    name: `faultsInTurn(${faults.map(({ name }) => name).join(', ')})`,
    at: 'request',
    ready: Promise.all(distinct.map(({ ready }) => ready)),
    get fired(): number { return distinct.reduce((sum, { fired }) => sum + fired, 0) },
    act: exchange => faults[Math.min(turn++, faults.length - 1)]!.act(exchange),
  }
}
