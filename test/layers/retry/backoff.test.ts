import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { backoff } from '../../../src/layers/retry/backoff.ts'
import { seededRandom } from '../../support/clock.ts'

const most = (): number => 1 - Number.EPSILON

suite('back-off', () => {
  test('doubles up to its cap', () => {
    deepEqual([1, 2, 3, 4, 5, 6].map(retry => Math.round(backoff(retry, 50, 500, most))), [50, 100, 200, 400, 500, 500])
  })

  test('is spread over the whole of it, from nothing', () => {
    equal(backoff(3, 50, 20_000, () => 0), 0)
    const random = seededRandom(3)
    const waits = Array.from({ length: 10_000 }, () => backoff(3, 50, 20_000, random))
    ok(waits.every(wait => wait >= 0 && wait < 200))
    for (let tenth = 0; tenth < 10; tenth++) {
      const share = waits.filter(wait => Math.floor(wait / 20) === tenth).length
      ok(share > 800 && share < 1_200, `${share} of 10000 waits in tenth ${tenth}`)
    }
  })

  test('still differs between callers at the cap', () => {
    const random = seededRandom(4)
    equal(new Set(Array.from({ length: 100 }, () => backoff(30, 50, 20_000, random))).size, 100)
  })

  test('is finite after any number of retries', () => {
    for (const retry of [60, 100, 2_000, Number.MAX_SAFE_INTEGER]) ok(backoff(retry, 50, 20_000, most) <= 20_000)
    equal(backoff(5_000, 0, 20_000, most), 0)
  })
})
