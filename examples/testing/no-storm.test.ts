import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from 'breakwater'
import { after, status, testWorld } from 'breakwater/testing'

test('a failing warehouse does not cause a retry storm', async () => {
  const world = testWorld()
  const warehouse = world.upstream('http://warehouse').always(after(20, status(503)))
  const client = createClient({ ...world.options, deadline: 2_000 })

  // Fifty calls a second, for a minute.
  const calls: Promise<unknown>[] = []
  for (let tick = 0; tick < 600; tick++) {
    for (let i = 0; i < 5; i++) calls.push(client.get('http://warehouse/stock').catch(() => 'out of order'))
    await world.advance(100)
  }
  await world.until(Promise.all(calls))

  const { length } = warehouse.attempts
  ok(length < calls.length / 10, `${length} attempts for ${calls.length} calls`)
})
