/**
 * Upstreams that fail by a script, on a clock that a test moves: no sockets, no sleeping. Begin with {@link testWorld}.
 *
 * @module breakwater/testing
 */
export { manualClock, type ManualClock } from './manual-clock.ts'
export { loadedDice, seededRandom } from './random.ts'
export {
  after, blackHole, flapping, garbage, hang, hangUp, json, refuse, reset, retryAfter, slowBody, status, unknownHost,
  type Flapping, type Pace, type Script,
} from './scripts.ts'
export { NeverSettled, testWorld, type World } from './world.ts'

export type { Attempt } from './attempt.ts'
export type { ScriptedUpstream } from './upstream.ts'
export type { Outcome, Wire } from './wire.ts'
