import type { Random } from '../../clock.ts'
import type { BreakerPolicy } from '../../options/policy.ts'

/** The share of the open time that chance takes off, so that the clients of an upstream do not probe it at the same moment. */
const JITTER = 0.2

/** How long a circuit, or a path of it, stays open, in ms: it doubles with each failed round, and is jittered. */
export const openTime = ({ openTime, maxOpenTime }: BreakerPolicy, rounds: number, random: Random): number =>
  Math.min(maxOpenTime, openTime * 2 ** Math.min(rounds, 40)) * (1 - JITTER * random())
