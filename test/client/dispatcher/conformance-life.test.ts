import type { Agent, Dispatcher } from 'undici'
import { eventually } from '../../support/check.ts'
import { conform, type Case } from '../../support/conformance.ts'
import { nameOf, recorder } from '../../support/dispatching.ts'

/* close() and destroy() in every order, over an Agent and over ours. */

type Life = 'close' | 'destroy'
type Ends = Record<Life, (...args: unknown[]) => unknown>
const ending = (dispatcher: Dispatcher): Ends => dispatcher
type State = Pick<Agent, 'closed' | 'destroyed'>
const stateOf = (dispatcher: Dispatcher): State => dispatcher as Dispatcher & State
const state = (dispatcher: Dispatcher): unknown[] => [stateOf(dispatcher).closed, stateOf(dispatcher).destroyed]

/** What a call returned, threw or settled with. */
const tried = async (run: () => unknown): Promise<unknown> => {
  try {
    const returned = run()
    return returned instanceof Promise ? ['settled', await returned.then(String, nameOf)] : ['returned', String(returned)]
  } catch (error) {
    return ['thrown', nameOf(error), (error as Error).message]
  }
}

/** What a callback is called with. */
const calledBack = (run: (done: (...args: unknown[]) => void) => unknown): Promise<unknown> => new Promise(resolve => {
  let isReturned = false
  const returned = run((...args) => {
    resolve([isReturned, String(returned), args.map(arg => (arg instanceof Error ? nameOf(arg) : arg))])
  })
  isReturned = true
})

const CASES: Record<string, Case> = {}
for (const first of ['close', 'destroy'] as const) {
  CASES[`${first}() with what is no callback`] = async d => {
    const all: unknown[] = []
    for (const wrong of [{}, 'done', 7, null]) {
      const args = first === 'close' ? [wrong] : [null, wrong]
      all.push([wrong, await tried(() => ending(d)[first](...args)), state(d)])
    }
    return all
  }
  for (const second of ['close', 'destroy'] as const) {
    CASES[`${first}(), then ${second}() at once`] = async d => {
      const both = [tried(() => ending(d)[first]()), tried(() => ending(d)[second]())]
      const before = state(d)
      return [before, await Promise.all(both), state(d)]
    }
    CASES[`${first}(), then ${second}() when it is over`] = async d =>
      [await tried(() => ending(d)[first]()), state(d), await tried(() => ending(d)[second]()), state(d)]
    CASES[`${first}(), then ${second}(), with callbacks`] = async d => [
      await calledBack(done => ending(d)[first](done)), await calledBack(done => ending(d)[second](done)), state(d),
    ]
    // An Agent that is closing has forgotten its requests, so its destroy() ends none; ours ends them.
    if (first === 'close' && second === 'destroy') continue
    CASES[`${first}() during a request, then ${second}()`] = async (d, origin, { waiting }) => {
      const order: unknown[] = []
      const sent = d.request({ origin, path: '/never', method: 'GET' }).then(async ({ body }) => {
        order.push(['request', await body.text()])
      }, (error: unknown) => { order.push(['request', nameOf(error)]) })
      await eventually(() => waiting.length === 1)
      const one = tried(() => ending(d)[first]()).then(seen => order.push(['first', seen]))
      order.push(state(d))
      const two = tried(() => ending(d)[second]()).then(seen => order.push(['second', seen]))
      order.push(state(d))
      if (!stateOf(d).destroyed) waiting[0]!.end('late')
      await Promise.all([sent, one, two])
      return [order.slice(0, 2), order.slice(2).map(seen => JSON.stringify(seen)).sort(), state(d)]
    }
  }
  CASES[`dispatch() after ${first}()`] = async (d, origin) => {
    const handler = recorder()
    const done = ending(d)[first]()
    const returned = d.dispatch({ origin, path: '/204', method: 'GET' }, handler)
    await done
    const late = recorder()
    return [returned, handler.seen, d.dispatch({ origin, path: '/204', method: 'GET' }, late), late.seen]
  }
}
CASES['destroy() with an error that is none'] = async (d, origin, { waiting }) => {
  const sent = d.request({ origin, path: '/never', method: 'GET' }).then(() => 'answered', nameOf)
  await eventually(() => waiting.length === 1)
  return [await tried(() => ending(d).destroy(0)), await sent]
}

conform(CASES)
