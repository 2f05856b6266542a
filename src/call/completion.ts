import type { Call } from './call.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Phase } from '../outcome/upstream-error.ts'

/** Runs when the headers of the reply to a call are there. */
export type Replied = (call: Call, reply: Reply) => void
/** Runs once a call's exchange has wholly ended: with the reply, and with the error if there was one instead or in its body. */
export type Ended = (call: Call, reply: Reply | undefined, error?: unknown) => void
/**
 * Says what a call settles with, given a reply or the error there was instead: another reply, now or later, an error, or
 * undefined for what was given.
 */
export type Settle = (call: Call, reply: Reply | undefined, error: unknown) => Reply | Promise<Reply> | Failed | undefined

/**
 * How long the upstream took for an attempt, in ms: to the headers if the body is streamed, which takes as long as its reader;
 * and without the time in which the caller's body was waited for. Undefined if the upstream's share can't be told.
 */
export const latencyOf = (call: Call, reply: Reply | undefined, now: number): number | undefined =>
  call.settings.streamed && reply !== undefined ? call.headersLatency : now - call.turnAt

/** An error as an outcome. It is handed on, not thrown, as throwing costs more than all the rest of a failing call. */
export class Failed {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

let resolving!: (reply: Reply | Promise<Reply>) => void
let rejecting!: (error: unknown) => void
const capture: ConstructorParameters<typeof Promise<Reply>>[0] = (resolve, reject) => {
  resolving = resolve
  rejecting = reject
}

/**
 * The promise of a reply, and those who are told of the reply and of its end as they happen, before anybody who awaits it.
 *
 * Most layers only watch: they count, release, cancel a timer; some say what becomes of the outcome. A promise for each of them
 * would be most of what the stack costs, so the first one goes up through them unchanged, and they are told here. What is told
 * is a function that a layer makes once, not for each call: what it has to know of the call stands on the call.
 */
export class Completion {
  readonly promise: Promise<Reply>
  protected readonly call: Call
  readonly #resolve: (reply: Reply | Promise<Reply>) => void
  readonly #reject: (error: unknown) => void
  #reply: Reply | undefined
  #error: unknown
  #isOver = false
  #isDelivered = false
  #replied: Replied | undefined
  // One for each layer that watches; more of them share the last. An array takes three times the room.
  #first: Ended | undefined
  #second: Ended | undefined
  #third: Ended | undefined
  #inner: Settle | undefined
  #outer: Settle | undefined

  constructor(call: Call) {
    this.promise = new Promise(capture)
    this.#resolve = resolving
    this.#reject = rejecting
    this.call = call
    call.completion = this
  }

  /** Whether it waits for its caller: for more of the request's body, or for the reply's to be read. */
  get waitsForCaller(): boolean {
    return false
  }

  /** Whether a body that comes from the caller is still being sent. */
  get isUploading(): boolean {
    return false
  }

  /** Runs `replied` at the response's headers. */
  whenReplied(replied: Replied): void {
    const before = this.#replied
    if (this.#reply !== undefined) replied(this.call, this.#reply)
    else if (before === undefined) this.#replied = replied
    else {
      this.#replied = (call, reply) => {
        before(call, reply)
        replied(call, reply)
      }
    }
  }

  /** Runs `ended` at the end of the response's body, or when it fails. */
  whenEnded(ended: Ended): void {
    if (this.#isOver) ended(this.call, this.#reply, this.#error)
    else if (this.#first === undefined) this.#first = ended
    else if (this.#second === undefined) this.#second = ended
    else if (this.#third === undefined) this.#third = ended
    else {
      const before = this.#third
      this.#third = (call, reply, error) => {
        before(call, reply, error)
        ended(call, reply, error)
      }
    }
  }

  /** Lets `settle` say what the promise settles with. @returns false if it is too late for that. */
  whenSettled(settle: Settle): boolean {
    if (this.#isDelivered) return false
    if (this.#inner === undefined) this.#inner = settle
    else if (this.#outer === undefined) this.#outer = settle
    else {
      const before = this.#outer
      this.#outer = (call, reply, error) => settledBy(settle, call, settledBy(before, call, reply ?? new Failed(error)))
    }
    return true
  }

  /** There is a reply: those who watch hear of it first. */
  replied(reply: Reply): void {
    this.#reply = reply
    this.#replied?.(this.call, reply)
  }

  /** It is over, well or with an error. */
  ended(error?: unknown): void {
    const { call } = this
    this.#isOver = true
    this.#error = error
    this.#first?.(call, this.#reply, error)
    this.#second?.(call, this.#reply, error)
    this.#third?.(call, this.#reply, error)
    if (this.#isDelivered) this.#reply?.end(error)
    else this.deliver()
  }

  /** Settles the promise. */
  deliver(): void {
    this.#isDelivered = true
    let outcome: Reply | Promise<Reply> | Failed = this.#reply ?? new Failed(this.#error)
    if (this.#inner !== undefined) outcome = settledBy(this.#inner, this.call, outcome)
    if (this.#outer !== undefined) outcome = settledBy(this.#outer, this.call, outcome)
    if (outcome instanceof Failed) this.#reject(outcome.error)
    else this.#resolve(outcome)
  }
}

function settledBy(settle: Settle, call: Call, outcome: Reply | Promise<Reply> | Failed): Reply | Promise<Reply> | Failed {
  if (outcome instanceof Promise) return later(settle, call, outcome)
  try {
    return (outcome instanceof Failed ? settle(call, undefined, outcome.error) : settle(call, outcome, undefined)) ?? outcome
  } catch (error) {
    return new Failed(error)
  }
}

const later = (settle: Settle, call: Call, sent: Promise<Reply>): Promise<Reply> => sent.then(
  reply => orThrow(settle(call, reply, undefined) ?? reply),
  (error: unknown) => {
    const outcome = settle(call, undefined, error)
    if (outcome === undefined) throw error
    return orThrow(outcome)
  },
)

/** An outcome, for who can throw. */
export const orThrow = (outcome: Reply | Promise<Reply> | Failed): Reply | Promise<Reply> => {
  if (outcome instanceof Failed) throw outcome.error
  return outcome
}

/** The exchange that settles this promise, unless another one stands before it. */
const completionOf = (sent: Promise<Reply>, call: Call): Completion | undefined => {
  const exchange = call.completion as Completion | undefined
  return exchange?.promise === sent ? exchange : undefined
}

/** Whether a call waits for its caller at this moment: what time passes is none of the upstream's. */
export const waitsForCaller = (call: Call): boolean => (call.completion as Completion | undefined)?.waitsForCaller === true

/** Whether the caller's body is still on its way. */
export const isUploading = (call: Call): boolean => (call.completion as Completion | undefined)?.isUploading === true

/** What a call waits for at this moment. */
export const phaseOf = (call: Call): Phase => (waitsForCaller(call) ? 'caller' : call.phase)

/**
 * How much longer, in ms, a time limit goes on that has passed in the upload of a dispatched call: it counts from when the caller
 * last gave a part of its body; and while more of it is waited for, what counts is how long a caller may be waited for. 0 or less
 * if it is over.
 */
export function uploadTime(call: Call, limit: number, now: number): number {
  if (call.relay === undefined) return 0
  const { callerTimeout } = call.relay
  return call.turnAt - now + (isUploading(call) && waitsForCaller(call) ? callerTimeout : limit)
}

/** Runs `replied` when the reply is there, before anybody else sees it. */
export function onReply(sent: Promise<Reply>, call: Call, replied: Replied): Promise<Reply> {
  const exchange = completionOf(sent, call)
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
export function onEnd(sent: Promise<Reply>, call: Call, ended: Ended): Promise<Reply> {
  const exchange = completionOf(sent, call)
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

/** Lets `settle` say what the call settles with. */
export const onSettle = (sent: Promise<Reply>, call: Call, settle: Settle): Promise<Reply> =>
  (completionOf(sent, call)?.whenSettled(settle) === true ? sent : later(settle, call, sent))

/**
 * A promise that is rejected a moment later. One that is rejected before anybody can have attached a handler makes Node keep
 * books on it, which costs more than all the rest of a refusal.
 */
export const rejected = (error: unknown): Promise<never> =>
  new Promise((_resolve, reject) => { queueMicrotask(() => { reject(error) }) })
