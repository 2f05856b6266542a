import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, UpstreamError, type Client } from 'breakwater'
import { json, refuse, testWorld } from 'breakwater/testing'

/** The service: picks if possible, otherwise bestsellers. */
const picksFor = async (user: number, client: Client): Promise<string[]> => {
  try {
    return await client.get(`http://recommender/picks/${user}`).json<string[]>()
  } catch (error) {
    if (error instanceof UpstreamError) return ['bestsellers']
    throw error
  }
}

test('shows bestsellers while the recommender is down, and picks again when it is back', async () => {
  const world = testWorld()
  const recommender = world.upstream('http://recommender').always(refuse())
  const client = createClient({ ...world.options })

  deepEqual(await world.until(picksFor(7, client)), ['bestsellers'])
  equal(client.snapshot()[0]?.endpoints[0]?.circuit, 'open')

  // From now on no call waits for the recommender, and no call reaches it.
  const [now, attempts] = [world.now, recommender.attempts.length]
  deepEqual(await world.until(picksFor(8, client)), ['bestsellers'])
  equal(world.now, now)
  equal(recommender.attempts.length, attempts)

  recommender.always(json(['a book about boats']))
  await world.advance(10_000)
  deepEqual(await world.until(picksFor(7, client)), ['a book about boats'])
})
