import { equal, ok } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Outage, type OutageSettings } from '../../src/server/outage.ts'
import { loadedDice, seededRandom } from '../support/clock.ts'

const SETTINGS: OutageSettings = { outageAfter: 10_000, recoveryAfter: 15_000, unreadyShare: 0.1, maxUnready: 30_000 }
const CYCLE = 300_000
/** A lot of 0 makes the first turn begin with the outage. */
const begun = (lot = 0): Outage => new Outage(SETTINGS, loadedDice(lot))

describe('an outage of a critical upstream', () => {
  test('is none before calls have been refused for long enough', () => {
    const outage = begun()
    for (const now of [0, 5_000, 9_999]) {
      outage.update(true, now)
      equal(outage.isTurn(now), false, `at ${now}`)
    }
    outage.update(true, 10_000)
    equal(outage.isTurn(10_000), true)
  })

  test('goes on through a moment in which calls are admitted, and ends when that lasts', () => {
    const outage = begun()
    outage.update(true, 0)
    outage.update(false, 5_000)
    outage.update(true, 10_000)
    ok(outage.isOutage, 'a probe, a flap: still the same outage')
    outage.update(false, 24_999)
    ok(outage.isOutage)
    outage.update(false, 25_000)
    ok(!outage.isOutage)
    outage.update(true, 26_000)
    ok(!outage.isOutage, 'another one, which has only begun')
  })

  test('makes a replica unready for its turn, and then not until its next', () => {
    const outage = begun()
    const unready: number[] = []
    for (let now = 0; now < 2 * CYCLE; now += 1_000) {
      outage.update(true, now)
      if (outage.isTurn(now)) unready.push(now)
    }
    equal(unready[0], 10_000)
    equal(unready.filter(now => now < CYCLE).at(-1), 29_000)
    equal(unready.find(now => now >= CYCLE), CYCLE)
    equal(unready.at(-1), CYCLE + 29_000)
  })

  test('with a share of 1 makes it unready for as long as it lasts', () => {
    const outage = new Outage({ ...SETTINGS, unreadyShare: 1 }, seededRandom(3))
    for (let now = 0; now < CYCLE; now += 1_000) {
      outage.update(true, now)
      equal(outage.isTurn(now), now >= 10_000)
    }
  })
})

/** The most of `size` replicas that are unready at once, in an hour in which all see the same upstream dead. */
const mostUnready = (size: number, seed: number): number => {
  const random = seededRandom(seed)
  const fleet = Array.from({ length: size }, () => new Outage(SETTINGS, random))
  let most = 0
  for (let now = 0; now < 2 * CYCLE; now += 5_000) {
    for (const outage of fleet) outage.update(true, now)
    most = Math.max(most, fleet.filter(outage => outage.isTurn(now)).length)
  }
  return most
}

describe('a fleet whose replicas all see the same upstream dead', () => {
  test('of 50 has never more than 17 of them unready, in a thousand outages', () => {
    const most = Array.from({ length: 1_000 }, (_, seed) => mostUnready(50, seed))
    const [worst, usual] = [Math.max(...most), most.reduce((sum, each) => sum + each) / most.length]
    ok(worst <= 17, `${worst} of 50`)
    ok(usual > 5, `some are always out, or this proves nothing: ${usual}`)
  })

  test('of 5 is never dark, in a thousand outages', () => {
    ok(Array.from({ length: 1_000 }, (_, seed) => mostUnready(5, seed)).every(most => most < 5))
  })
})
