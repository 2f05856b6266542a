import { deepEqual } from 'node:assert/strict'
import { suite, test, type TestContext } from 'node:test'
import type { Dispatcher } from 'undici'
import { closing, inTime } from './check.ts'
import { startPeer, SUBJECTS, type Peer } from './dispatching.ts'

/** Tries one thing and says what was seen of it. */
export type Case = (dispatcher: Dispatcher, origin: string, peer: Peer) => Promise<unknown>

/** With protections on a handler may end a call from its beginning, and so hears of the start although nothing is sent. */
const withoutStarts = (seen: unknown): unknown =>
  JSON.parse(JSON.stringify(seen, (_key, value: unknown) => (
    Array.isArray(value) ? value.filter(item => !Array.isArray(item) || item[0] !== 'start') : value
  )))

/** What a case sees over a subject, without what differs from run to run. */
const seenBy = async (subject: keyof typeof SUBJECTS, name: string, run: Case, t: TestContext): Promise<unknown> => {
  const peer = await closing(t, startPeer())
  const { dispatcher, close } = SUBJECTS[subject]()
  t.after(close)
  return JSON.parse(JSON.stringify([await inTime(run(dispatcher, peer.url, peer), { within: 20_000, what: `${name}, ${subject}` })])
    .replaceAll(peer.url, 'peer').replaceAll(new URL(peer.url).port, 'port')) as unknown
}

/** How the protections may differ from an Agent, by the name of the case. */
export interface Differing {
  /** Handlers hear of the start before undici refuses the request. */
  readonly startsAtOnce?: ReadonlySet<string>
}

/** Runs each case over an Agent and over ours, with all protections off and on: what is seen must be the same. */
export const conform = (cases: Record<string, Case>, { startsAtOnce }: Differing = {}): void => {
  for (const [name, run] of Object.entries(cases)) {
    suite(name, () => {
      test('is seen as over an Agent when all protections are off', async t => {
        deepEqual(await seenBy('off', name, run, t), await seenBy('agent', name, run, t))
      })
      test('is seen as over an Agent when all are on', async t => {
        const atOnce = startsAtOnce?.has(name) === true ? withoutStarts : (seen: unknown): unknown => seen
        deepEqual(atOnce(await seenBy('on', name, run, t)), atOnce(await seenBy('agent', name, run, t)))
      })
    })
  }
}
