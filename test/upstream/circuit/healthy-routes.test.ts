import { equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Routes } from '../../../src/upstream/circuit/healthy-routes.ts'

suite('the healthy routes of an endpoint', () => {
  test('are unknown at first', () => equal(new Routes().isOtherHealthy('/orders'), false))

  test('tell whether a path other than the failing one was healthy, whatever its query', () => {
    const routes = new Routes()
    routes.healthy('/orders?page=1')
    equal(routes.isOtherHealthy('/orders?page=2'), false)
    equal(routes.isOtherHealthy('/stock'), true)
    routes.healthy('/stock')
    equal(routes.isOtherHealthy('/orders'), true)
  })

  test('are those of the last calls only', () => {
    const routes = new Routes()
    routes.healthy('/stock')
    for (let n = 0; n < 8; n++) routes.healthy(`/orders?page=${n}`)
    equal(routes.isOtherHealthy('/orders'), false)
  })
})
