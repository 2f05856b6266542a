import type { ClientSummary } from './summary.ts'
import { count } from './words.ts'

/** A load below this share of what was asked for is worth a word. */
const enough = 0.97

/** What a reader must know of the load to read the numbers: where it was not the one that was asked for. */
export function notes({ name, phases }: ClientSummary, rate: number): string[] {
  return phases.flatMap(({ phase, seconds, offered, dropped }) => [
    ...offered < rate * seconds * enough
      ? [`note: in the ${phase} only ${count(offered)} of ${count(rate * seconds)} calls were made through ${name}`]
      : [],
    ...dropped > 0
      ? [`note: in the ${phase} ${count(dropped)} calls through ${name} were not made: too many were in flight`]
      : [],
  ])
}
