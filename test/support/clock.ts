import type { Env } from '../../src/clock.ts'
import { manualClock, type ManualClock } from '../../src/testing/manual-clock.ts'
import { seededRandom } from '../../src/testing/random.ts'

export { manualClock as createTestClock, type ManualClock as TestClock } from '../../src/testing/manual-clock.ts'
export { loadedDice, seededRandom } from '../../src/testing/random.ts'

/** Time and chance for a layer under test. */
export const testEnv = (seed = 1): Env & { readonly clock: ManualClock } => ({
  clock: manualClock(),
  random: seededRandom(seed),
})
