import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { FLEET_COLUMNS } from '../../bench/fleet/figures.ts'
import { type Plan, planOf, PLANS } from '../../bench/fleet/plan.ts'
import { simulate } from '../../bench/fleet/simulate.ts'
import { VirtualClock } from '../../bench/fleet/virtual-clock.ts'
import type { Task, Told } from '../../bench/fleet/worker.ts'
import { Child } from '../../bench/process/parent.ts'
import { worstOf } from '../../bench/stats.ts'
import { judge, TARGETS } from '../../bench/targets.ts'
import { totalOf } from '../../demo/phases.ts'

/*
 * What many clients do to an upstream together, and one client to many upstreams: the library as it is, in virtual time.
 * The bounds are those of bench/targets.ts, for the worst of several seeds.
 */

describe('a fleet', () => {
  const children = new Map<number, Child>()
  const worker = new URL('../../bench/fleet/worker.ts', import.meta.url)
  before(() => { for (const seed of [1, 2, 3]) children.set(seed, new Child(worker, ['--expose-gc'])) })
  after(() => Promise.all([...children.values()].map(child => child.end())))

  const run = (plan: string, more: Partial<Task> = {}): Promise<Told[]> =>
    Promise.all([...children].map(([seed, child]) => child.ask<Told>('run', { plan, seed, ...more })))

  for (const { name, about, clients } of PLANS) {
    test(`keeps within its bounds: ${name}, ${about}`, async () => {
      const told = await run(name)
      const rows = [{ name, values: worstOf(FLEET_COLUMNS, told.map(({ figures }) => figures)) }]
      const section = { part: 'fleet', title: '', tables: [{ id: 'fleet', title: '', about: '', columns: [], rows }] } as const
      const judged = judge([section], TARGETS.filter(({ figure }) => figure.startsWith(`fleet.${name}.`)))
      ok(judged.length > 0, 'nothing is asked of it')
      deepEqual(judged.filter(({ outcome }) => outcome !== 'reached')
        .map(({ what, value, bound }) => `${what}: ${value ?? 'not measured'}, not ${bound}`), [])
      for (const { timersLeft } of told) ok(timersLeft <= clients, `${timersLeft} timers are left`)
    })
  }

  test('would not pass without protection, so that its bounds mean something', async () => {
    const [{ figures: { reached = 0, peak = 0, peakAfter = 0 } }] = await run('outage', { bare: true }) as [Told]
    ok(reached > 3 && peak > 4 && peakAfter > 2, `${reached} reached, peak ${peak}, after it ${peakAfter}`)
  })

  test('of one client forgets none of a thousand open circuits, and holds no more than its upstreams', async () => {
    const { known } = await children.get(1)!.ask<Told>('run', { plan: '2,000 upstreams', seed: 1 })
    deepEqual(known.map(({ upstreams }) => upstreams), [2_000, 2_000, 2_000])
    deepEqual(known.map(({ notClosed }) => notClosed), [0, 1_000, 0])
    const [before, during, after] = known.map(({ heap }) => heap / 2_000) as [number, number, number]
    // Half of them remember an outage, with their last errors.
    ok(during - before < 10_240 && after - before < 6_144, `bytes per upstream: ${before}, then ${during}, then ${after}`)
  })
})

describe('the simulation', () => {
  const brief: Plan = { ...planOf('outage'), clients: 20, rate: 70, workers: 2 }

  test('is the same with the same seed, to the last digit, and another with another', async () => {
    const told = async (seed: number): Promise<string> => {
      const { track, fleet, events } = await simulate(brief, seed)
      return JSON.stringify([track.calls.part(0), track.upstream!.part(0), fleet.part(0), track.failing, events])
    }
    const [once, again, other] = [await told(1), await told(1), await told(2)]
    ok(once.length > 1_000)
    equal(once === again, true)
    equal(once === other, false)
  })

  test('loses no call: each is answered or fails, in the end', async () => {
    const { track: { calls }, plan } = await simulate(brief, 1)
    const columns = totalOf(plan.stretches) / 50
    ok(calls.sum('offered', 0, columns) > 2_000)
    equal(calls.sum('good', 0, columns) + calls.sum('failed', 0, columns), calls.sum('offered', 0, columns))
  })
})

describe('virtual time', () => {
  test('fires timers by their time, those of one instant as they were armed, each before promises of the next', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const note = (what: string) => async (): Promise<void> => {
      seen.push(`${what} at ${clock.now()}`)
      for (let step = 0; step < 20; step++) await Promise.resolve()
      seen.push(`${what} done`)
    }
    for (const [ms, what] of [[30, 'c'], [10, 'a'], [30, 'd'], [20, 'b']] as const) clock.after(ms, () => void note(what)())
    clock.after(15, () => { throw new Error('was cancelled') }).cancel()
    clock.after(Infinity, () => { throw new Error('never comes') })
    await clock.run(100)
    deepEqual(seen, ['a at 10', 'a done', 'b at 20', 'b done', 'c at 30', 'c done', 'd at 30', 'd done'])
    deepEqual([clock.now(), clock.fired], [100, 4])
  })

  test('keeps thousands of timers in order', async () => {
    const clock = new VirtualClock()
    const due: number[] = []
    for (let index = 0; index < 5_000; index++) {
      const timer = clock.after(index * 7_919 % 5_003, () => { due.push(clock.now()) })
      if (index % 3 === 0) timer.cancel()
    }
    await clock.run(5_003)
    deepEqual(due, due.toSorted((a, b) => a - b))
    equal(due.length, 3_333)
  })

  test('ends with what a timer throws', async () => {
    const clock = new VirtualClock()
    clock.after(1, () => { throw new RangeError('out of hand') })
    await rejects(clock.run(10), new RangeError('out of hand'))
  })
})
