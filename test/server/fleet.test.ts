import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '../../src/index.ts'
import { createHealth } from '../../src/server/index.ts'
import { closing } from '../support/check.ts'
import { createTestClock, seededRandom } from '../support/clock.ts'
import { startServer, status } from '../support/server.ts'

const SIZE = 50
const STEP = 5_000
const CALLS = 5

test('fifty replicas whose critical upstream dies are never unready by more than a third, and all come back', async t => {
  const clock = createTestClock()
  const env = { clock, random: seededRandom(1) }
  const shared = await closing(t, startServer())
  const fleet = await Promise.all(Array.from({ length: SIZE }, async () => {
    const client = await closing(t, createClient({ retry: false, env, upstreams: { payments: { url: shared.url } } }))
    return { client, health: createHealth(client, { critical: ['payments'], env }) }
  }))

  /** A step of time: whoever is ready is sent some calls; how many are not, and how many warn. */
  const step = async (): Promise<{ unready: number; warning: number }> => {
    const statuses = fleet.map(({ health }) => health.report().status)
    const ready = fleet.filter((_, index) => statuses[index] !== 'fail')
    await Promise.all(ready.flatMap(({ client }) => Array.from({ length: CALLS }, () =>
      client.upstream('payments').get('/').catch(() => undefined))))
    await clock.advance(STEP)
    const count = (wanted: string): number => statuses.filter(found => found === wanted).length
    return { unready: count('fail'), warning: count('warn') }
  }

  deepEqual(await step(), { unready: 0, warning: 0 })
  shared.handle(status(503))
  let most = 0
  let turns = 0
  for (let passed = 0; passed < 900_000; passed += STEP) {
    const { unready } = await step()
    most = Math.max(most, unready)
    turns += unready
  }
  ok(most <= SIZE / 3, `${most} of ${SIZE}`)
  ok(turns > SIZE, `but they do take turns: ${turns}`)
  ok(turns <= 0.1 * SIZE * 900_000 / STEP, `and are out for a tenth of the time, by default: ${turns}`)

  shared.handle(status(200))
  let after = await step()
  for (let passed = 0; passed < 120_000; passed += STEP) after = await step()
  deepEqual(after, { unready: 0, warning: 0 })
  equal(fleet.every(({ client }) => client.upstream('payments').snapshot().endpoints[0]?.circuit === 'closed'), true)
})
