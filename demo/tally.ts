import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { driverKeys, type Failing } from './messages.ts'
import { type Span, spanIndexAt } from './phases.ts'
import { Series } from './series.ts'

const none: Failing = { count: 0, median: 0, p99: 0 }

/** What a driver counts. Calls belong to the column and the phase in which they were made, whenever they end. */
export class Tally {
  readonly series = new Series(driverKeys)
  readonly dropped: number[]
  readonly late: number[]
  readonly #spans: readonly Span[]
  readonly #failing: (RecordableHistogram | undefined)[]

  constructor(spans: readonly Span[]) {
    this.#spans = spans
    this.#failing = spans.map(() => undefined)
    this.dropped = spans.map(() => 0)
    this.late = spans.map(() => 0)
  }

  /** A call is made at this moment (milliseconds since the start), so many milliseconds after its time. */
  made(at: number, behind: number): void {
    this.series.add('offered', Series.columnAt(at))
    const index = spanIndexAt(this.#spans, at)
    this.late[index] = Math.max(this.late[index] ?? 0, behind)
  }

  /** A call made at this moment was answered well and in time. */
  good(at: number): void {
    this.series.add('good', Series.columnAt(at))
  }

  /** A call made at this moment failed after so many milliseconds. */
  failed(at: number, took: number): void {
    this.series.add('failed', Series.columnAt(at))
    const index = spanIndexAt(this.#spans, at)
    const histogram = this.#failing[index] ??= createHistogram({ lowest: 1, highest: 3_600_000_000_000, figures: 3 })
    histogram.record(Math.max(1, Math.round(took * 1e6)))
  }

  /** The call of this moment was not made after all: too many were in flight. */
  drop(at: number): void {
    this.series.add('failed', Series.columnAt(at))
    const index = spanIndexAt(this.#spans, at)
    this.dropped[index] = (this.dropped[index] ?? 0) + 1
  }

  /** How long calls took to fail, per phase. */
  failing(): Failing[] {
    return this.#failing.map(histogram => histogram
      ? { count: histogram.count, median: histogram.percentile(50) / 1e6, p99: histogram.percentile(99) / 1e6 }
      : none)
  }
}
