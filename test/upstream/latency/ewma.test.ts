import { equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Ewma } from '../../../src/upstream/latency/ewma.ts'

suite('the average latency', () => {
  test('is nothing while nothing is known, then what was seen first', () => {
    const latency = new Ewma()
    equal(latency.average, 0)
    latency.record(80)
    equal(latency.average, 80)
  })

  test('follows what it sees, without being thrown by one outlier', () => {
    const latency = new Ewma()
    for (let n = 0; n < 100; n++) latency.record(10)
    latency.record(1_000)
    ok(latency.average > 10 && latency.average <= 110, String(latency.average))
    for (let n = 0; n < 100; n++) latency.record(50)
    ok(Math.abs(latency.average - 50) < 1, String(latency.average))
  })

  test('starts again when its history is discarded', () => {
    const latency = new Ewma()
    for (let n = 0; n < 100; n++) latency.record(1_000)
    latency.restart(20)
    equal(latency.average, 20)
  })
})
