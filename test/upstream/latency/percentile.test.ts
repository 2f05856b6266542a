import { equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Percentile } from '../../../src/upstream/latency/percentile.ts'

suite('a percentile of latencies', () => {
  test('is not known while there are none', () => {
    equal(new Percentile(0.95).value, Infinity)
  })

  for (const [share, expected] of [[0.5, 50], [0.9, 90], [0.95, 95], [0.99, 99], [1, 100]] as const) {
    test(`of 1 to 100 ms is ${expected} for ${share}`, () => {
      const percentile = new Percentile(share)
      for (let ms = 100; ms >= 1; ms--) percentile.record(ms)
      equal(percentile.value, expected)
    })
  }

  test('forgets what is older than 256 latencies', () => {
    const percentile = new Percentile(0.95)
    for (let n = 0; n < 1_000; n++) percentile.record(500)
    equal(percentile.value, 500)
    for (let n = 0; n < 256; n++) percentile.record(20)
    equal(percentile.value, 20)
  })

  test('is found anew only every so often', () => {
    const percentile = new Percentile(1)
    percentile.record(1)
    equal(percentile.value, 1)
    for (let n = 0; n < 15; n++) percentile.record(9)
    equal(percentile.value, 1)
    percentile.record(9)
    equal(percentile.value, 9)
  })

  test('is one of the last latencies, with no more than its share of them below', () => {
    fc.assert(fc.property(
      fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { minLength: 16, maxLength: 600 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (all, share) => {
        const whole = all.slice(0, all.length - all.length % 16)
        const percentile = new Percentile(share)
        for (const ms of whole) percentile.record(ms)
        const last = whole.slice(-256)
        const { value } = percentile
        ok(last.includes(value), `${value}`)
        ok(last.filter(ms => ms < value).length <= share * last.length)
        ok(last.filter(ms => ms <= value).length >= share * last.length - 1e-9)
      },
    ))
  })
})
