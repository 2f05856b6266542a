import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { BaselineLatency, type Use } from '../../../src/upstream/limit/baseline-latency.ts'
import { seededRandom } from '../../support/clock.ts'

const SPAN = 500

/** Replies of one span, a ms apart, and its end. */
function span(usual: BaselineLatency, from: number, latency: number | (() => number), use: Use = 'some', replies = 100): number {
  for (let n = 0; n < replies; n++) usual.record(typeof latency === 'number' ? latency : latency(), from + n)
  usual.endSpan(use, from + SPAN)
  return from + SPAN
}

/** An exponential distribution, as of services whose latency varies much. */
const varying = (mean: number, random = seededRandom(5)) => () => -Math.log(1 - random()) * mean

suite('the usual latency of an upstream', () => {
  test('is the least of the first few replies, which no queue has met yet', () => {
    const usual = new BaselineLatency()
    equal(usual.value, 0)
    const seen = [40, 20, 30, 25, 90, 80].map((latency, n) => {
      usual.record(latency, n)
      return usual.value
    })
    deepEqual(seen, [40, 20, 20, 20, 20, 20])
  })

  test('falls at once to a mean that is lower', () => {
    const usual = new BaselineLatency()
    span(usual, span(usual, 0, 50), 20)
    equal(usual.value, 20)
  })

  const rises: [use: Use, after: number][] = [['little', 1.25], ['some', 1.05], ['all', 1.05]]
  for (const [use, rise] of rises) {
    test(`rises by and by to one that is higher: ${rise} times with ${use} of the limit in use`, () => {
      const usual = new BaselineLatency()
      let now = span(usual, 0, 20)
      now = span(usual, now, 60, use)
      equal(usual.value, 20 * rise)
      for (let n = 0; n < 50; n++) now = span(usual, now, 60, use)
      ok(Math.abs(usual.value - 60) < 1e-9, `${usual.value} ms`)
    })
  }

  test('is the mean of latencies that vary, though the first was a lucky one', () => {
    const usual = new BaselineLatency()
    const latency = varying(20)
    usual.record(0.2, 0)
    let now = 0
    for (let n = 0; n < 40; n++) now = span(usual, now, latency, 'little', 300)
    ok(usual.value > 15 && usual.value < 24, `${usual.value} ms`)
  })

  test('does not hear of too few replies; they are added to those of the next span', () => {
    const usual = new BaselineLatency()
    let now = span(usual, 0, 20)
    now = span(usual, now, 10, 'some', 7)
    equal(usual.value, 20)
    span(usual, now, 10, 'some', 1)
    equal(usual.value, 10)
  })

  suite('that has risen while the limit holds calls back', () => {
    const risen = (use: Use = 'all'): { usual: BaselineLatency; now: number } => {
      const usual = new BaselineLatency()
      let now = span(usual, 0, 20)
      for (let n = 0; n < 8; n++) now = span(usual, now, 100, use)
      return { usual, now }
    }

    test('is measured after ten spans', () => {
      const { usual, now } = risen()
      equal(usual.isMeasured, false)
      span(usual, now, 100, 'all')
      equal(usual.isMeasured, true)
    })

    test('is not measured where other calls would fit in, as then it is no queue of ours', () => {
      const { usual, now } = risen('some')
      span(usual, now, 100, 'some')
      equal(usual.isMeasured, false)
    })

    test('is what replies take that were sent since, not those that met the queue', () => {
      const { usual, now: before } = risen()
      const now = span(usual, before, 100, 'all')
      for (let n = 0; n < 99; n++) usual.record(100, now + n)
      ok(usual.isMeasured)
      for (let n = 0; n < 8; n++) {
        ok(usual.isMeasured)
        usual.record(22, now + 100 + n)
      }
      deepEqual([usual.value, usual.isMeasured], [22, false])
    })

    test('is as it was thought if replies take long all the same, and is measured for a span at most', () => {
      const { usual, now: before } = risen()
      const now = span(usual, before, 100, 'all')
      const thought = usual.value
      span(usual, now, 100, 'all', 1)
      deepEqual([usual.value, usual.isMeasured], [thought, false])
    })
  })
})
