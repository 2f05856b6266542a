import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { percentile, worstOf, type Ranked } from '../../bench/stats.ts'

test('the worst of several runs is the least or the most, figure by figure, of those that mean something', () => {
  const columns: Ranked[] = [
    { key: 'goodput', title: '', unit: 'share', worst: 'least' }, { key: 'back', title: '', unit: 'ms', worst: 'most' },
    { key: 'never', title: '', unit: 'ms', worst: 'most' },
  ]
  deepEqual(worstOf(columns, [{ goodput: 0.9, back: 50 }, { goodput: 0.8, back: undefined }, { goodput: 1, back: Infinity }]),
    { goodput: 0.8, back: Infinity, never: undefined })
})

test('a percentile is the least value that so great a share does not exceed', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index)
  deepEqual([0, 0.5, 0.99, 1].map(share => percentile(values, share)), [1, 100, 198, 200])
  equal(percentile([7], 0.99), 7)
  equal(percentile([], 0.99), NaN)
})
