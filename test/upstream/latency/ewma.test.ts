import { equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Ewma } from '../../../src/upstream/latency/ewma.ts'

suite('the usual latency', () => {
  test('is nothing while nothing is known, then what was seen first', () => {
    const latency = new Ewma()
    equal(latency.usual, 0)
    latency.record(80)
    equal(latency.usual, 80)
  })

  test('follows what it sees, without being thrown by one outlier', () => {
    const latency = new Ewma()
    for (let n = 0; n < 100; n++) latency.record(10)
    latency.record(1_000)
    ok(latency.usual > 10 && latency.usual <= 110, String(latency.usual))
    for (let n = 0; n < 100; n++) latency.record(50)
    ok(Math.abs(latency.usual - 50) < 1, String(latency.usual))
  })

  test('begins anew when what was known is void', () => {
    const latency = new Ewma()
    for (let n = 0; n < 100; n++) latency.record(1_000)
    latency.restart(20)
    equal(latency.usual, 20)
  })
})
