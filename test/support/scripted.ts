import { equal } from 'node:assert/strict'
import type { Send } from '../../src/call/layer.ts'
import { eventually, settle, type Patience } from './check.ts'

type Call = Parameters<Send>[0]
type Reply = Awaited<ReturnType<Send>>

/** One call the layer under test has sent on, waiting for the test's answer. */
export interface Received<C, R> {
  readonly call: C
  /** Answers it; a second answer is an error in the test. */
  reply(reply: R): void
  /** Fails it. */
  fail(error: unknown): void
}

/** The inner service of a layer under test, played by the test itself: a conversation, line by line. */
export interface Scripted<C, R> {
  /** What to give the layer as its `next`. */
  readonly send: (call: C) => Promise<R>
  /** Calls received so far. */
  readonly calls: number
  /** Calls received and not answered yet. */
  readonly open: number
  /** The next call not taken yet, in order of arrival; fails if none comes. */
  next(patience?: Patience): Promise<Received<C, R>>
  /** Fails if a call arrived that `next` has not taken, once everything has settled. */
  none(): Promise<void>
  /** Fails if a call was left untaken or unanswered: for the end of a test. */
  done(): void
}

/** Makes a scripted inner service. It answers nothing by itself. */
export const scripted = <C = Call, R = Reply>(): Scripted<C, R> => {
  const received: Received<C, R>[] = []
  let taken = 0
  let open = 0

  const send = (call: C): Promise<R> => new Promise<R>((resolve, reject) => {
    let answered = false
    const once = (answer: () => void): void => {
      if (answered) throw new Error('scripted: this call was answered already')
      answered = true
      open--
      answer()
    }
    open++
    received.push({
      call,
      reply: reply => once(() => resolve(reply)),
      fail: error => once(() => reject(error)),
    })
  })

  return {
    send,
    get calls(): number { return received.length },
    get open(): number { return open },

    next(patience: Patience = {}): Promise<Received<C, R>> {
      const index = taken++
      return eventually(() => received[index], { what: `call ${index + 1} reaches the scripted service`, ...patience })
        .then(call => call!)
    },

    async none(): Promise<void> {
      await settle()
      equal(received.length, taken, 'the scripted service received a call nobody expected')
    },

    done(): void {
      equal(received.length, taken, 'calls the scripted service received, and calls the test took')
      equal(open, 0, 'calls the scripted service never answered')
    },
  }
}
