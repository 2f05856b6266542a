/** What may be said of a stretch of time in `--phases`; `load` is one in which the upstream is left as it is. */
export const phaseNames = ['health', 'outage', 'recovery', 'brown-out', 'load'] as const
/** One of {@link phaseNames}. */
export type PhaseName = typeof phaseNames[number]

/** How the upstream fails in an outage: answers 502 at once, resets the socket, or takes calls and never answers. */
export const outageKinds = ['502', 'reset', 'hang'] as const
/** One of {@link outageKinds}. */
export type OutageKind = typeof outageKinds[number]

/** What the model upstream is doing. */
export type Mode = 'healthy' | 'brown-out' | OutageKind

/** A phase with its place in time, in milliseconds since the start. */
export interface Span {
  readonly name: PhaseName
  readonly from: number
  readonly to: number
}

/** The width of one column of every series, in milliseconds; phases begin and end on it. */
export const columnWidth = 50
/** The shortest phase: it must hold one window of goodput. */
const shortest = 250

const pattern = /^\s*([a-z-]+)\s*:\s*(\d+(?:\.\d+)?)\s*$/

/** Tells which mode the upstream is in during a phase. */
export const modeOf = (name: PhaseName, outage: OutageKind): Mode =>
  name === 'outage' ? outage : name === 'brown-out' ? 'brown-out' : 'healthy'

/** How many workers are left in a brown-out: a tenth. */
export const brownOut = (workers: number): number => Math.max(1, Math.round(workers / 10))

/** Finds the phase that holds a moment; after the last one's end that is the last one. */
export function spanIndexAt(spans: readonly Span[], elapsed: number): number {
  const index = spans.findIndex(span => elapsed < span.to)
  return index === -1 ? spans.length - 1 : index
}

/** The length of the whole run in milliseconds. */
export const totalOf = (spans: readonly Span[]): number => spans.at(-1)?.to ?? 0

/**
 * Reads phases such as `health:5,outage:6,recovery:4` (seconds).
 *
 * @throws RangeError that names the part it cannot read and what it expects there
 */
export function parsePhases(text: string): Span[] {
  const spans: Span[] = []
  for (const part of text.split(',')) {
    const [, name = '', seconds = ''] = pattern.exec(part) ?? []
    const known = phaseNames.find(candidate => candidate === name)
    if (!known) {
      throw new RangeError(`Got '${part.trim()}', expected NAME:SECONDS with NAME one of ${phaseNames.join(', ')}`)
    }
    const length = Math.round(Number(seconds) * 1000)
    if (length < shortest || length > 3_600_000 || length % columnWidth !== 0) {
      throw new RangeError(`Got '${part.trim()}', expected 0.25 to 3600 seconds in steps of 0.05`)
    }
    const from = totalOf(spans)
    spans.push({ name: known, from, to: from + length })
  }
  return spans
}
