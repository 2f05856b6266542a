import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Window } from '../../../src/upstream/circuit/window.ts'

const counts = ({ total, failures, slow }: Window): number[] => [total, failures, slow]

suite('a window', () => {
  test('counts calls, failures and slow calls', () => {
    const window = new Window(1_000, 0)
    window.record(false, false, 1)
    window.record(true, false, 2)
    window.record(true, true, 3)
    deepEqual(counts(window), [3, 2, 1])
  })

  test('forgets a call when its bucket leaves, and no sooner', () => {
    const window = new Window(1_000, 0)
    window.record(true, true, 50)
    window.advance(999)
    deepEqual(counts(window), [1, 1, 1])
    window.advance(1_000)
    deepEqual(counts(window), [0, 0, 0])
  })

  test('forgets bucket by bucket', () => {
    const window = new Window(1_000, 0)
    for (let at = 0; at < 1_000; at += 100) window.record(at < 500, false, at)
    deepEqual(counts(window), [10, 5, 0])
    window.advance(1_299)
    deepEqual(counts(window), [7, 2, 0])
  })

  test('is empty after a gap, however long', () => {
    for (const gap of [1_000, 5_000, 2 ** 31, 2 ** 40, 1e15]) {
      const window = new Window(1_000, 0)
      window.record(true, true, 0)
      window.advance(gap)
      deepEqual(counts(window), [0, 0, 0], `after ${gap} ms`)
      window.record(true, false, gap + 1)
      deepEqual(counts(window), [1, 1, 0], `after ${gap} ms`)
    }
  })

  test('neither wedges nor forgets when the clock steps back', () => {
    const window = new Window(1_000, 3_600_000)
    window.record(true, false, 3_600_000)
    window.record(true, false, 0)
    deepEqual(counts(window), [2, 2, 0])
    window.advance(3_601_000)
    deepEqual(counts(window), [0, 0, 0])
  })

  test('keeps what it counted when its length changes', () => {
    const window = new Window(1_000, 0)
    window.record(true, true, 10)
    window.record(false, false, 510)
    window.resize(10_000, 600)
    deepEqual(counts(window), [2, 1, 1])
    window.advance(9_999)
    deepEqual(counts(window), [2, 1, 1])
    window.advance(10_999)
    deepEqual(counts(window), [0, 0, 0])
  })

  test('is cleared at once', () => {
    const window = new Window(1_000, 0)
    for (let at = 0; at < 1_000; at += 30) window.record(true, true, at)
    window.clear(1_000)
    deepEqual(counts(window), [0, 0, 0])
    window.advance(2_500)
    equal(window.total, 0)
  })

  test('counts a call on the very edge of a bucket once', () => {
    const window = new Window(1_000, 0)
    for (const at of [0, 100, 200]) window.record(true, false, at)
    window.advance(1_099)
    equal(window.total, 2)
    window.advance(1_100)
    equal(window.total, 1)
  })
})
