import { channels, type AttemptStartEvent } from '../../src/index.ts'
import { byPath, json, type Handler } from './server.ts'

/** Calls whose latency is known before one is hedged: of one alone this process may have stood still in the meantime. */
const KNOWN = 10

/** Answers all but the first attempt of a call of `/slow`, in whatever order they come: {@link numberAttempts} says which. */
export const slowFirst: Handler = byPath({
  '/slow': (request, response) => { if (request.headers['x-request-id'] !== '1') void json({})(request, response) },
  '/': json({}),
})

/** Numbers every attempt in a header, one of tracing so that calls can still be shared, for the length of a test. */
export const numberAttempts = (t: { after(run: () => void): void }): void => {
  const number = ({ attempt, setHeader }: AttemptStartEvent): void => { setHeader('x-request-id', String(attempt)) }
  channels.attemptStart.subscribe(number)
  t.after(() => { channels.attemptStart.unsubscribe(number) })
}

/** Lets an upstream with `hedge: { minimumCalls: 1 }` know how long its calls take. */
export const learnLatency = async (call: () => Promise<unknown>): Promise<void> => {
  for (let known = 0; known < KNOWN; known++) await call()
}
