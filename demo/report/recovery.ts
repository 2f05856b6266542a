import type { Series } from '../series.ts'
import type { DriverKey } from '../messages.ts'
import { columnWidth, type Span } from '../phases.ts'

/** The share of calls that must be answered well for a client to count as recovered. */
export const recovered = 0.95
/** Goodput is judged over windows of this many milliseconds. */
export const windowLength = 250

const windowColumns = windowLength / columnWidth

/**
 * How long after a span's start goodput came back for good: the start of the first window from which every later one
 * of the span is at {@link recovered} or above. Windows in which no call was made prove nothing.
 *
 * @returns milliseconds, in steps of one column; undefined when it did not come back within the span
 */
export function recoveryTime(calls: Series<DriverKey>, span: Span): number | undefined {
  const first = span.from / columnWidth
  let since: number | undefined
  for (let column = span.to / columnWidth - windowColumns; column >= first; column -= 1) {
    const offered = calls.sum('offered', column, column + windowColumns)
    const good = calls.sum('good', column, column + windowColumns)
    if (offered > 0 && good < offered * recovered) break
    if (offered > 0) since = column
  }
  return since === undefined ? undefined : (since - first) * columnWidth
}
