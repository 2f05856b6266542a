import type { Call } from './call.ts'
import type { Reply } from '../outcome/reply.ts'
import type { Phase } from '../outcome/upstream-error.ts'

/** Runs when the headers of the reply to a call have arrived. */
export type Replied = (call: Call, reply: Reply) => void
/** Runs once the exchange of a call has ended, body included: with the reply, if there was one, and the error, if it failed. */
export type Ended = (call: Call, reply: Reply | undefined, error?: unknown) => void
/**
 * Decides what a call settles with, given its reply or its error: another reply (or a promise of one), an error, or undefined
 * to leave it as it is.
 */
export type Settle = (call: Call, reply: Reply | undefined, error: unknown) => Reply | Promise<Reply> | Failed | undefined

/**
 * How long the upstream took for an attempt, in ms: up to its headers if the body is streamed, as the reader sets the pace of the
 * body; and without the time spent waiting for the caller's body. Undefined if the upstream's share is unknown.
 */
export const latencyOf = (call: Call, reply: Reply | undefined, now: number): number | undefined =>
  call.settings.streamed && reply !== undefined ? call.headersLatency : now - call.turnAt

/** An error as a value. It is returned rather than thrown, as throwing costs more than all the rest of a failing call. */
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
 * The promise of a reply, with callbacks for the layers that run before any code that awaits the promise.
 *
 * Most layers only observe: they count, release a permit, cancel a timer; some change the outcome. A promise for each of them
 * would be most of the cost of the stack, so one promise is returned through all layers, and they register callbacks here. A
 * layer creates its callbacks once, not for each call: what they need to know of a call is stored on the call.
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
  // One slot for each layer that observes; further callbacks share the last one. An array takes three times the memory.
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

  /** Whether the exchange waits for its caller: for more of the request's body, or to read the reply's. */
  get waitsForCaller(): boolean {
    return false
  }

  /** Whether a body that the caller streams is still being sent. */
  get isUploading(): boolean {
    return false
  }

  /** Runs `replied` when the response's headers arrive. */
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

  /** Runs `ended` when the response's body ends or the exchange fails. */
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

  /** Lets `settle` decide what the promise settles with. @returns false if the promise is already settled. */
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

  /** Records the reply and runs the callbacks; the promise is settled later, by `deliver()` or `ended()`. */
  replied(reply: Reply): void {
    this.#reply = reply
    this.#replied?.(this.call, reply)
  }

  /** Ends the exchange, successfully or with an error. */
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
  if (outcome instanceof Promise) return settleLater(settle, call, outcome)
  try {
    return (outcome instanceof Failed ? settle(call, undefined, outcome.error) : settle(call, outcome, undefined)) ?? outcome
  } catch (error) {
    return new Failed(error)
  }
}

/** Applies `settle` once the promise has settled. */
const settleLater = (settle: Settle, call: Call, sent: Promise<Reply>): Promise<Reply> => sent.then(
  reply => orThrow(settle(call, reply, undefined) ?? reply),
  (error: unknown) => {
    const outcome = settle(call, undefined, error)
    if (outcome === undefined) throw error
    return orThrow(outcome)
  },
)

/** Unwraps an outcome; throws if it is an error. */
export const orThrow = (outcome: Reply | Promise<Reply> | Failed): Reply | Promise<Reply> => {
  if (outcome instanceof Failed) throw outcome.error
  return outcome
}

/** The completion of the call's exchange, if this is its promise and not one derived from it. */
const completionOf = (sent: Promise<Reply>, call: Call): Completion | undefined => {
  const completion = call.completion as Completion | undefined
  return completion?.promise === sent ? completion : undefined
}

/** Whether a call waits for its caller now: this time is not the upstream's. */
export const waitsForCaller = (call: Call): boolean => (call.completion as Completion | undefined)?.waitsForCaller === true

/** Whether the caller's body is still being sent. */
export const isUploading = (call: Call): boolean => (call.completion as Completion | undefined)?.isUploading === true

/** What a call waits for now. */
export const phaseOf = (call: Call): Phase => (waitsForCaller(call) ? 'caller' : call.phase)

/**
 * How much longer, in ms, a time limit that has passed during the upload of a relayed call goes on. The limit counts from when
 * the caller last sent a part of its body; while the call waits for more of it, the caller's own limit applies. 0 or less: it is
 * over.
 */
export function uploadTime(call: Call, limit: number, now: number): number {
  if (call.relay === undefined) return 0
  const { uploadTimeout } = call.relay
  return call.turnAt - now + (isUploading(call) && waitsForCaller(call) ? uploadTimeout : limit)
}

/** Runs `replied` when the reply arrives, before any code that awaits it. */
export function onReply(sent: Promise<Reply>, call: Call, replied: Replied): Promise<Reply> {
  const completion = completionOf(sent, call)
  if (completion === undefined) {
    return sent.then(reply => {
      replied(call, reply)
      return reply
    })
  }
  completion.whenReplied(replied)
  return sent
}

/** Runs `ended` when the call has ended, the reply's body included, or has failed; before any code that awaits it. */
export function onEnd(sent: Promise<Reply>, call: Call, ended: Ended): Promise<Reply> {
  const completion = completionOf(sent, call)
  if (completion === undefined) {
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
  completion.whenEnded(ended)
  return sent
}

/** Lets `settle` decide what the call settles with. */
export const onSettle = (sent: Promise<Reply>, call: Call, settle: Settle): Promise<Reply> =>
  (completionOf(sent, call)?.whenSettled(settle) === true ? sent : settleLater(settle, call, sent))

/**
 * A promise that is rejected in a microtask. Node tracks a promise that is rejected before it has a handler, which costs more
 * than all the rest of a refusal.
 */
export const rejected = (error: unknown): Promise<never> =>
  new Promise((_resolve, reject) => { queueMicrotask(() => { reject(error) }) })
