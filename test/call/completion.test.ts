import { deepEqual, equal, rejects } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Completion, Failed, onEnd, onReply, onSettle } from '../../src/call/completion.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { callAt } from '../support/calls.ts'
import { testEnv } from '../support/clock.ts'

const setup = () => {
  const call = callAt(testEnv())
  const completion = new Completion(call)
  return { call, completion, sent: completion.promise }
}
const MANY = [1, 2, 3, 4, 5, 6]

suite('the completion of a call', () => {
  test('reports to any number of watchers, the innermost first', async () => {
    const { call, completion, sent } = setup()
    const seen: string[] = []
    for (const n of MANY) void onReply(sent, call, () => { seen.push(`reply ${n}`) })
    for (const n of MANY) void onEnd(sent, call, () => { seen.push(`end ${n}`) })
    completion.replied(new Reply(200, {}))
    completion.ended()
    equal((await sent).status, 200)
    deepEqual(seen, [...MANY.map(n => `reply ${n}`), ...MANY.map(n => `end ${n}`)])
  })

  test('lets any number of layers say what it settles with, each what the one before it said', async () => {
    const { call, completion, sent } = setup()
    for (const n of MANY) {
      equal(onSettle(sent, call, (_, reply) => n === 3 ? new Reply((reply?.status ?? 0) + n, {}) : undefined), sent)
    }
    void onSettle(sent, call, (_, reply) => new Failed(reply?.status))
    void onSettle(sent, call, (_, reply, error) => Promise.resolve(new Reply(reply === undefined ? Number(error) + 1 : 0, {})))
    completion.replied(new Reply(200, {}))
    completion.ended()
    equal((await sent).status, 204)
  })

  test('ends in the error of a layer that throws, whichever it is', async () => {
    for (const at of MANY) {
      const { call, completion, sent } = setup()
      for (const n of MANY) {
        void onSettle(sent, call, () => {
          if (n === at) throw new RangeError(`layer ${n}`)
          return undefined
        })
      }
      completion.replied(new Reply(200, {}))
      completion.ended()
      await rejects(sent, { name: 'RangeError', message: `layer ${at}` })
    }
  })
})
