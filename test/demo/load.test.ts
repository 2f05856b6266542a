import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { catchUp, type Load } from '../../demo/load.ts'

function loadOf(rate: number, length: number) {
  const state = { elapsed: 0, made: 0, late: [] as number[] }
  const load: Load = { rate, length, elapsed: () => state.elapsed, call: late => state.late.push(late) }
  const at = (elapsed: number): number => {
    state.elapsed = elapsed
    const before = state.made
    state.made = catchUp(load, before)
    return state.made - before
  }
  return { at, state }
}

suite('an open-loop load', () => {
  test('is driven by the clock alone', () => {
    const { at } = loadOf(500, 1000)
    deepEqual([-5, 0, 1, 4, 8, 8, 12].map(at), [0, 0, 1, 1, 2, 0, 2])
  })

  test('is complete, however the clock is looked at', () => {
    const { at, state } = loadOf(700, 2000)
    for (let elapsed = 0; elapsed < 2050; elapsed += 3.7) at(elapsed)
    equal(state.made, 1400)
    ok(Math.max(...state.late) < 5)
  })

  test('is caught up with after a stall, in small batches', () => {
    const { at, state } = loadOf(700, 10_000)
    at(0)
    const batches = Array.from({ length: 40 }, (_, index) => at(500 + index * 4))
    ok(Math.max(...batches) <= 9, `a batch of ${Math.max(...batches)}`)
    equal(batches[0], 9)
    for (let index = 40; index < 200; index += 1) at(500 + index * 4)
    equal(state.made, Math.ceil((500 + 199 * 4) * 0.7))
    ok(Math.max(...state.late) > 490)
  })

  test('ends with its time', () => {
    const { at, state } = loadOf(100, 1000)
    for (let elapsed = 0; elapsed < 5000; elapsed += 20) at(elapsed)
    equal(state.made, 100)
  })
})
