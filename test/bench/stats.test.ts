import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { worstOf, type Ranked } from '../../bench/stats.ts'

test('the worst of several runs is the least or the most, figure by figure, of those that mean something', () => {
  const columns: Ranked[] = [
    { key: 'goodput', title: '', unit: 'share', worst: 'least' }, { key: 'back', title: '', unit: 'ms', worst: 'most' },
    { key: 'never', title: '', unit: 'ms', worst: 'most' },
  ]
  deepEqual(worstOf(columns, [{ goodput: 0.9, back: 50 }, { goodput: 0.8, back: undefined }, { goodput: 1, back: Infinity }]),
    { goodput: 0.8, back: Infinity, never: undefined })
})
