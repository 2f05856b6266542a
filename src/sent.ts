import type { Call } from './call.ts'
import type { Reply } from './reply.ts'

/** Runs when the headers of the reply to a call are there. */
export type Replied = (call: Call, reply: Reply) => void
/** Runs once a call's exchange has wholly ended: with the reply, and with the error if there was one instead or in its body. */
export type Ended = (call: Call, reply: Reply | undefined, error?: unknown) => void

/**
 * An exchange that tells of its reply and of its end as they happen, before anybody who awaits its promise hears of them.
 *
 * Most layers only watch: they count, release, cancel a timer. A promise for each of them would be most of what the stack costs,
 * so the exchange's own promise goes up through them unchanged, and they are told here. What is told is a function that a
 * layer makes once, not for each call: what it has to know of the call stands on the call.
 */
export interface Exchanged {
  /** Runs `replied` at the response's headers. */
  whenReplied(replied: Replied): void
  /** Runs `ended` at the end of the response's body, or when it fails. */
  whenEnded(ended: Ended): void
}

type Sent = Promise<Reply> & { exchange?: Exchanged }

/** Lets layers watch the exchange that settles this promise. */
export function watchable(sent: Promise<Reply>, exchange: Exchanged): Promise<Reply> {
  (sent as Sent).exchange = exchange
  return sent
}

/** Runs `replied` when the reply is there, before anybody else sees it. */
export function atReply(sent: Promise<Reply>, call: Call, replied: Replied): Promise<Reply> {
  const { exchange } = sent as Sent
  if (exchange === undefined) {
    return sent.then(reply => {
      replied(call, reply)
      return reply
    })
  }
  exchange.whenReplied(replied)
  return sent
}

/** Runs `ended` when the reply has wholly ended, its body included, or the error is there; before anybody else sees it. */
export function atEnd(sent: Promise<Reply>, call: Call, ended: Ended): Promise<Reply> {
  const { exchange } = sent as Sent
  if (exchange === undefined) {
    return sent.then(
      reply => {
        reply.whenEnded(error => { ended(call, reply, error) })
        return reply
      },
      (error: unknown) => {
        ended(call, undefined, error)
        throw error
      },
    )
  }
  exchange.whenEnded(ended)
  return sent
}

/**
 * A promise that is rejected a moment later. One that is rejected before anybody can have attached a handler makes Node keep
 * books on it, which costs more than all the rest of a refusal.
 */
export const rejected = (error: unknown): Promise<never> =>
  new Promise((_resolve, reject) => { queueMicrotask(() => { reject(error) }) })
