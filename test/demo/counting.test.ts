import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Failing } from '../../demo/messages.ts'
import { parsePhases } from '../../demo/phases.ts'
import { Series } from '../../demo/series.ts'
import { Tally } from '../../demo/tally.ts'

suite('a series', () => {
  test('adds and raises values per column of time', () => {
    const series = new Series(['sum', 'top'])
    equal(Series.columnAt(149.9), 2)
    series.add('sum', 2)
    series.add('sum', 2, 3)
    series.raise('top', 4, 7)
    series.raise('top', 4, 5)
    equal(series.length, 5)
    deepEqual(series.part(1), { from: 1, columns: { sum: [0, 4, 0, 0], top: [0, 0, 0, 7] } })
    deepEqual([series.sum('sum', 0, 9), series.sum('sum', 3, 9)], [4, 0])
    deepEqual([series.max('top', 0, 9), series.max('top', 0, 4)], [7, 0])
  })

  test('is rebuilt from parts that overlap', () => {
    const [here, there] = [new Series(['calls']), new Series(['calls'])]
    for (let column = 0; column < 10; column += 1) {
      here.add('calls', column, column)
      there.merge(here.part(Math.max(0, column - 2)))
      here.add('calls', column, 1)
    }
    there.merge(here.part(7))
    deepEqual(there.part(0), here.part(0))
  })
})

suite('a tally', () => {
  test('counts a call in the moment it was made, and its failure in the phase', () => {
    const tally = new Tally(parsePhases('health:0.5,outage:0.5'))
    tally.made(10, 2)
    tally.good(10)
    for (const took of [4, 1, 2, 3, 100]) {
      tally.made(499, 0)
      tally.failed(499, took)
    }
    tally.made(600, 30)
    tally.drop(600)
    deepEqual([tally.series.at('offered', 0), tally.series.at('good', 0), tally.series.at('failed', 0)], [1, 1, 0])
    deepEqual([tally.series.at('offered', 9), tally.series.at('failed', 9)], [5, 5])
    deepEqual([tally.dropped, tally.late], [[0, 1], [2, 30]])
    const [health, outage] = tally.failing() as [Failing, Failing]
    equal(health.count, 5)
    ok(Math.abs(health.median - 3) < 0.01, `median ${health.median}`)
    ok(Math.abs(health.p99 - 100) < 0.2, `p99 ${health.p99}`)
    deepEqual(outage, { count: 0, median: 0, p99: 0 })
  })

  test('tells microseconds apart', () => {
    const tally = new Tally(parsePhases('outage:1'))
    for (let index = 0; index < 1000; index += 1) tally.failed(0, index < 900 ? 0.0312 : 500)
    const { median, p99 } = tally.failing()[0]!
    ok(Math.abs(median - 0.0312) < 0.0001 && Math.abs(p99 - 500) < 1, `${median} ${p99}`)
  })
})
