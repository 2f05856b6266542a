import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { BaselineLatency, type Use } from '../../../src/upstream/limit/baseline-latency.ts'
import { seededRandom } from '../../support/clock.ts'

const SPAN = 500

/** Replies of one span, a ms apart, and its end. */
function span(
  baseline: BaselineLatency, from: number, latency: number | (() => number), use: Use = 'some', replies = 100,
): number {
  for (let n = 0; n < replies; n++) baseline.record(typeof latency === 'number' ? latency : latency(), from + n)
  baseline.endSpan(use, from + SPAN)
  return from + SPAN
}

/** An exponential distribution, as of services whose latency varies much. */
const varying = (mean: number, random = seededRandom(5)) => () => -Math.log(1 - random()) * mean

suite('the baseline latency of an upstream', () => {
  test('is the least of the first few replies, which no queue has met yet', () => {
    const baseline = new BaselineLatency()
    equal(baseline.value, 0)
    const seen = [40, 20, 30, 25, 90, 80].map((latency, n) => {
      baseline.record(latency, n)
      return baseline.value
    })
    deepEqual(seen, [40, 20, 20, 20, 20, 20])
  })

  test('falls at once to a mean that is lower', () => {
    const baseline = new BaselineLatency()
    span(baseline, span(baseline, 0, 50), 20)
    equal(baseline.value, 20)
  })

  const rises: [use: Use, after: number][] = [['little', 1.25], ['some', 1.05], ['all', 1.05]]
  for (const [use, rise] of rises) {
    test(`rises by and by to one that is higher: ${rise} times with ${use} of the limit in use`, () => {
      const baseline = new BaselineLatency()
      let now = span(baseline, 0, 20)
      now = span(baseline, now, 60, use)
      equal(baseline.value, 20 * rise)
      for (let n = 0; n < 50; n++) now = span(baseline, now, 60, use)
      ok(Math.abs(baseline.value - 60) < 1e-9, `${baseline.value} ms`)
    })
  }

  test('is the mean of latencies that vary, though the first was a lucky one', () => {
    const baseline = new BaselineLatency()
    const latency = varying(20)
    baseline.record(0.2, 0)
    let now = 0
    for (let n = 0; n < 40; n++) now = span(baseline, now, latency, 'little', 300)
    ok(baseline.value > 15 && baseline.value < 24, `${baseline.value} ms`)
  })

  test('does not hear of too few replies; they are added to those of the next span', () => {
    const baseline = new BaselineLatency()
    let now = span(baseline, 0, 20)
    now = span(baseline, now, 10, 'some', 7)
    equal(baseline.value, 20)
    span(baseline, now, 10, 'some', 1)
    equal(baseline.value, 10)
  })

  suite('that has risen while the limit holds calls back', () => {
    const risen = (use: Use = 'all'): { baseline: BaselineLatency; now: number } => {
      const baseline = new BaselineLatency()
      let now = span(baseline, 0, 20)
      for (let n = 0; n < 8; n++) now = span(baseline, now, 100, use)
      return { baseline, now }
    }

    test('is measured after ten spans', () => {
      const { baseline, now } = risen()
      equal(baseline.isMeasured, false)
      span(baseline, now, 100, 'all')
      equal(baseline.isMeasured, true)
    })

    test('is not measured where other calls would fit in, as then it is no queue of ours', () => {
      const { baseline, now } = risen('some')
      span(baseline, now, 100, 'some')
      equal(baseline.isMeasured, false)
    })

    test('is what replies take that were sent since, not those that met the queue', () => {
      const { baseline, now: before } = risen()
      const now = span(baseline, before, 100, 'all')
      for (let n = 0; n < 99; n++) baseline.record(100, now + n)
      ok(baseline.isMeasured)
      for (let n = 0; n < 8; n++) {
        ok(baseline.isMeasured)
        baseline.record(22, now + 100 + n)
      }
      deepEqual([baseline.value, baseline.isMeasured], [22, false])
    })

    test('is as it was thought if replies take long all the same, and is measured for a span at most', () => {
      const { baseline, now: before } = risen()
      const now = span(baseline, before, 100, 'all')
      const thought = baseline.value
      span(baseline, now, 100, 'all', 1)
      deepEqual([baseline.value, baseline.isMeasured], [thought, false])
    })
  })
})
