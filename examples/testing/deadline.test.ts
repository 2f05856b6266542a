import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, DeadlineExceededError, type Client } from 'breakwater'
import { hang, testWorld } from 'breakwater/testing'

/** The service: a total, or a text in its place. */
const total = (client: Client): Promise<string> => client.get('http://payments/total', { deadline: 800 }).text()
  .catch((error: unknown) => {
    if (error instanceof DeadlineExceededError) return 'ask again later'
    throw error
  })

test('answers within its deadline while payments hangs, and releases the connection', async () => {
  const world = testWorld()
  const payments = world.upstream('http://payments').always(hang())
  const client = createClient({ ...world.options })

  equal(await world.until(total(client)), 'ask again later')

  equal(world.now, 800)
  equal(payments.inFlight, 0)
  ok(payments.attempts.every(({ outcome, endedAt = Infinity }) => outcome === 'aborted' && endedAt <= 800))
})
