import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parsePhases, type Span } from '../../demo/phases.ts'
import { disturbance, shortfalls } from '../../demo/report/check.ts'
import { notes } from '../../demo/report/notes.ts'
import { recoveryTime } from '../../demo/report/recovery.ts'
import { sentence } from '../../demo/report/sentence.ts'
import { type PhaseSummary, summarize } from '../../demo/report/summary.ts'
import { table } from '../../demo/report/table.ts'
import { count, duration, percent, wrap } from '../../demo/report/words.ts'
import { colorsFor } from '../../demo/view/colors.ts'
import { trackOf } from './tracks.ts'

const spans = parsePhases('health:1,outage:2,recovery:2')
const recovery = spans[2] as Span
const plain = colorsFor({ isTTY: false })

suite('the time to recover', () => {
  const timeOf = (good: (elapsed: number) => number): number | undefined =>
    recoveryTime(trackOf('', spans, elapsed => ({ good: good(elapsed) })).calls, recovery)

  test('is that of the first window from which all are good', () => {
    equal(timeOf(() => 1), 0)
    equal(timeOf(elapsed => elapsed >= 3400 ? 1 : 0), 400)
    equal(timeOf(elapsed => elapsed >= 3400 ? 0.95 : 0), 400)
  })

  test('is unknown when it never came back, or was lost again', () => {
    equal(timeOf(elapsed => elapsed < 3000 ? 1 : 0.9), undefined)
    equal(timeOf(elapsed => elapsed < 4950 ? 1 : 0), undefined)
  })

  test('begins anew after a relapse', () => {
    equal(timeOf(elapsed => elapsed >= 3200 && elapsed < 4000 ? 1 : elapsed >= 4300 ? 1 : 0), 1300)
  })

  test('takes a dent that the window can bear', () => {
    equal(timeOf(elapsed => elapsed === 4000 ? 0.8 : 1), 0)
  })
})

suite('a summary', () => {
  const failing = [
    { count: 0, median: 0, p99: 0 }, { count: 4000, median: 0.03, p99: 0.8 }, { count: 9, median: 0.02, p99: 0.1 },
  ]
  const track = trackOf('breakwater', spans, elapsed => elapsed < 1000 ? { good: 1, queued: 3 }
    : elapsed < 3000 ? { good: 0, reached: elapsed === 1000 ? 0.4 : 0 }
    : { good: elapsed < 3150 ? 0 : 1 }, failing)
  const summary = summarize(track, spans)

  test('says of each phase what was seen', () => {
    deepEqual(summary.phases[0], {
      phase: 'health', seconds: 1, offered: 2000, good: 2000, goodput: 1, failed: 0, dropped: 0, late: 1,
      reached: 2000, reachedShare: 1, longestQueue: 3,
    })
  })

  test('says of what a recovery follows how it came back', () => {
    deepEqual(summary.phases.map(phase => phase.recovery), [undefined, { watched: 2000, time: 150 }, undefined])
    deepEqual([summary.phases[1]?.medianTimeToFail, summary.phases[1]?.reached], [0.03, 40])
  })

  test('is told in a sentence', () => {
    equal(sentence(summary), 'breakwater: in the outage it sent the upstream 40 calls for 4,000 asked, '
      + 'failed in 0.030 ms (median) and was back to 95 % 150 ms after it.')
    const load = parsePhases('load:1')
    equal(sentence(summarize(trackOf('bare', load, () => ({ good: 0.5 })), load)),
      'bare: 1,000 of 2,000 calls were answered well (50 %).')
  })

  test('is shown in a table that fits its screen', () => {
    for (const width of [80, 100]) {
      const lines = table([summary, { ...summary, name: 'bare undici' }], width, plain).split('\n')
      const [first = ''] = lines
      ok(lines.every(line => line.length === first.length && line.length <= width), `${first.length} of ${width}`)
      match(lines.join('\n'), /outage +│ breakwater +│ +0 % │ 0.030 ms/)
      match(lines.join('\n'), /│ +150 ms │/)
    }
  })

  test('says when the load was not the one asked for', () => {
    deepEqual(notes(summary, 2000), [])
    equal(notes(summary, 2200).length, 3)
    const dropping = { ...summary, phases: [{ ...summary.phases[0]!, dropped: 7 }] }
    match(notes(dropping, 2000).join(), /in the health 7 calls through breakwater were not made/)
  })

  test('is measured against what is promised', () => {
    const outage = summary.phases[1]!
    const judge = (change: Partial<PhaseSummary>): string =>
      shortfalls({ name: 'breakwater', phases: [{ ...outage, ...change }] }).join()
    equal(judge({}), '')
    match(judge({ medianTimeToFail: 1 }), /median time to fail in the outage was 1.0 ms, promised is less than 1 ms/)
    match(judge({ reached: 80, reachedShare: 0.02 }), /80 of 4,000 calls \(2 %\) reached the upstream/)
    const late = { watched: 2000, time: 1050 }
    match(judge({ recovery: late }), /goodput came back 1.05 s after .* promised is 95 % within 1 s/)
    match(judge({ recovery: { watched: 2000 } }), /goodput did not come back within 2 s after the outage/)
    equal(judge({ recovery: { watched: 2000, time: 1000 } }), '')
    match(shortfalls({ name: '', phases: [] }).join(), /there was no outage/)
  })

  test('is no verdict when the machine was busy', () => {
    const late = (...times: number[]): number | undefined =>
      disturbance({ name: '', phases: summary.phases.map((phase, index) => ({ ...phase, late: times[index]! })) })
    equal(late(90, 3, 4), undefined)
    equal(late(0, 30, 4), 30)
    equal(late(0, 3, 40), 40)
  })
})

suite('words', () => {
  test('say 0 % and 100 % only of none and all', () => {
    deepEqual([0, 0.0004, 0.018, 0.5, 0.9996, 1, 1.004].map(percent),
      ['0 %', '< 0.1 %', '1.8 %', '50 %', '99.9 %', '100 %', '100 %'])
  })

  test('give a time as many digits as it can bear', () => {
    deepEqual([0.0312, 0.54, 1.26, 501.2, 1050, 4000].map(duration),
      ['0.031 ms', '0.54 ms', '1.3 ms', '501 ms', '1.05 s', '4 s'])
    equal(count(4200), '4,200')
  })

  test('are broken at spaces', () => {
    equal(wrap('one two three four', 9), 'one two\n  three\n  four')
    equal(wrap('one', 2), 'one')
  })
})
