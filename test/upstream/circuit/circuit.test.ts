import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Circuit, type Admission } from '../../../src/upstream/circuit/circuit.ts'
import type { CircuitState } from '../../../src/outcome/circuit-state.ts'
import type { Random } from '../../../src/clock.ts'
import type { BreakerOptions } from '../../../src/options/breaker-options.ts'
import type { Verdict } from '../../../src/outcome/verdict.ts'
import { breakerPolicy, pass } from '../../support/calls.ts'
import { createTestClock, loadedDice, seededRandom } from '../../support/clock.ts'

/** A circuit, the clock it lives by and what it told. */
interface Bench {
  readonly circuit: Circuit
  readonly changes: string[]
  readonly now: number
  readonly state: CircuitState
  wait(ms: number): void
  /** One call that is settled at once; false if it was refused. */
  pass(verdict?: Verdict, latency?: number): boolean
  admit(): Admission
  settle(admission: Admission, verdict: Verdict): void
}

const benchOf = (options: BreakerOptions = {}, random: Random = () => 0): Bench => {
  const clock = createTestClock()
  const changes: string[] = []
  const circuit = new Circuit(breakerPolicy(options), { clock, random }, (from, to, reason) => {
    changes.push(`${from} > ${to}: ${reason}`)
  })
  return {
    circuit, changes,
    get now(): number { return clock.now() },
    get state(): CircuitState { return circuit.state },
    wait: ms => clock.tick(ms),
    pass: (verdict = 'healthy', latency = 1) => pass(circuit, verdict, clock.now(), latency),
    admit: () => circuit.admit(clock.now()),
    settle: (admission, verdict) => { circuit.settle(admission, verdict, 1, clock.now()) },
  }
}

/** Calls so many times a second, one verdict after the other; says after how many calls it stopped being closed. */
const drive = (bench: Bench, rate: number, calls: number, verdict: (call: number) => Verdict): number | undefined => {
  for (let call = 1; call <= calls; call++) {
    bench.wait(1_000 / rate)
    bench.pass(verdict(call))
    if (bench.state !== 'closed') return call
  }
  return undefined
}

const trip = (bench: Bench): void => {
  for (let n = 0; n < 5; n++) bench.pass('gateway')
  equal(bench.state, 'open')
}

const recover = (bench: Bench): void => {
  bench.wait(30_000)
  for (let n = 0; n < 3; n++) ok(bench.pass(), 'a probe is admitted')
  equal(bench.state, 'closed')
}

/** Everything that can be seen of a circuit. */
const seen = ({ circuit, now }: Bench): unknown => ({
  state: circuit.state, admits: circuit.admits(now), opensIn: circuit.opensIn(now), why: circuit.why(now), busy: circuit.busy,
  gateway: circuit.gateway, unhealthy: circuit.unhealthy,
  window: [circuit.window.total, circuit.window.failures, circuit.window.slow],
})

suite('a closed circuit', () => {
  test('opens after five gateway errors in a row, and says why', () => {
    const bench = benchOf()
    for (let n = 0; n < 4; n++) bench.pass('gateway')
    equal(bench.state, 'closed')
    bench.pass('gateway')
    equal(bench.state, 'open')
    deepEqual(bench.changes, ['closed > open: consecutive failures'])
    equal(bench.circuit.why(bench.now), 'consecutive failures')
    equal(bench.pass(), false)
  })

  test('takes a healthy or throttled call for the end of a run, and one without evidence for nothing', () => {
    for (const [between, opens] of [['healthy', false], ['throttled', false], ['none', true]] as const) {
      const bench = benchOf()
      for (let n = 0; n < 4; n++) bench.pass('gateway')
      bench.pass(between)
      bench.pass('gateway')
      equal(bench.state === 'open', opens, between)
    }
  })

  test('needs a rate for answers that are bad but come from the endpoint itself', () => {
    const bench = benchOf()
    for (let n = 0; n < 19; n++) bench.pass('unhealthy')
    equal(bench.state, 'closed')
    bench.pass('unhealthy')
    deepEqual(bench.changes, ['closed > open: failure rate'])
  })

  test('opens at the failure rate, throttled calls included', () => {
    const bench = benchOf()
    equal(drive(bench, 10, 100, call => call % 2 === 0 ? 'throttled' : 'healthy'), 20)
    deepEqual(bench.changes, ['closed > open: failure rate'])
  })

  test('opens when most calls are slow, however healthy', () => {
    const bench = benchOf({ slowCallDuration: 500 })
    for (let n = 0; n < 19; n++) bench.pass('healthy', 500)
    equal(bench.state, 'closed')
    bench.pass('healthy', 500)
    deepEqual(bench.changes, ['closed > open: slow-call rate'])
  })

  test('does not take a call for slow whose latency means nothing', () => {
    const bench = benchOf({ slowCallDuration: 500 })
    for (let n = 0; n < 100; n++) bench.circuit.settle(bench.admit(), 'healthy', undefined, bench.now)
    equal(bench.state, 'closed')
    equal(bench.circuit.window.slow, 0)
  })

  test('counts only what has settled: calls in flight dilute nothing', () => {
    const bench = benchOf()
    for (let n = 0; n < 1_000; n++) ok(bench.admit() !== 0)
    for (let n = 0; n < 5; n++) bench.pass('gateway')
    equal(bench.state, 'open')
  })

  test('keeps its state and window when it is retuned', () => {
    const bench = benchOf()
    for (let n = 0; n < 10; n++) bench.pass(n < 4 ? 'unhealthy' : 'healthy')
    bench.circuit.tune(breakerPolicy({ failureRate: 0.3, minimumCalls: 10, window: 40_000 }))
    deepEqual([bench.circuit.window.total, bench.circuit.window.failures], [10, 4])
    bench.pass('unhealthy')
    deepEqual(bench.changes, ['closed > open: failure rate'])
    bench.circuit.tune(breakerPolicy({ openTime: 60_000, maxOpenTime: 60_000 }))
    equal(bench.state, 'open')
    equal(bench.circuit.opensIn(bench.now), 1_000)
  })
})

suite('an outage', () => {
  test('at 1 call/s is noticed after 5 calls, at first and after any healthy time, wherever a bucket ends', () => {
    for (const healthy of [0, 1, 7, 19, 20, 21, 30, 100]) {
      for (let offset = 0; offset < 2_000; offset += 125) {
        const bench = benchOf()
        bench.wait(offset)
        equal(drive(bench, 1, healthy, () => 'healthy'), undefined)
        equal(drive(bench, 1, 20, () => 'gateway'), 5, `after ${healthy} healthy calls, ${offset} ms into a bucket`)
      }
    }
  })

  test('at 1 call/s is noticed after 5 calls however long the window is', () => {
    for (const window of [20_000, 60_000, 600_000]) {
      const bench = benchOf({ window })
      drive(bench, 1, 1_000, () => 'healthy')
      equal(drive(bench, 1, 20, () => 'gateway'), 5, `window of ${window} ms`)
    }
  })

  test('at 700 calls/s is noticed within 100 ms after a long healthy time, of whatever kind it is', () => {
    for (const verdict of ['gateway', 'unhealthy'] as const) {
      const bench = benchOf()
      equal(drive(bench, 700, 700 * 60, () => 'healthy'), undefined)
      const calls = drive(bench, 700, 7_000, () => verdict)
      ok(calls !== undefined && calls / 0.7 <= 100, `${verdict}: ${calls} calls`)
    }
  })

  test('of a fifth of a second between others at 700 calls/s is noticed, too', () => {
    const bench = benchOf()
    drive(bench, 700, 700 * 30, () => 'healthy')
    const opened = drive(bench, 700, 700, call => call <= 140 ? 'gateway' : 'healthy')
    ok(opened !== undefined && opened <= 70, `${opened} calls`)
  })

  test('after an idle day is noticed as ever', () => {
    const bench = benchOf()
    drive(bench, 100, 1_000, () => 'healthy')
    bench.wait(86_400_000)
    equal(drive(bench, 1, 20, () => 'gateway'), 5)
  })
})

suite('bad luck', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`of 40 % at 500 calls/s for a minute after a healthy window does not trip a 50 % threshold (seed ${seed})`, () => {
      const random = seededRandom(seed)
      const bench = benchOf()
      drive(bench, 500, 500 * 30, () => 'healthy')
      let failures = 0
      const opened = drive(bench, 500, 500 * 60, () => {
        if (random() >= 0.4) return 'healthy'
        failures++
        return 'gateway'
      })
      equal(opened, undefined, bench.changes.join())
      ok(failures > 11_000, 'the fault was there')
    })
  }

  test('of 60 % is more than the threshold, and trips', () => {
    const random = seededRandom(1)
    const bench = benchOf()
    drive(bench, 500, 500 * 30, () => 'healthy')
    ok(drive(bench, 500, 500 * 60, () => random() < 0.6 ? 'gateway' : 'healthy') !== undefined)
  })
})

suite('a call from before the trip', () => {
  for (const verdict of ['healthy', 'gateway', 'unhealthy', 'throttled', 'none'] as const) {
    test(`changes nothing by ending ${verdict}, in any later state`, () => {
      const bench = benchOf({ ramp: 0 })
      const early = Array.from({ length: 8 }, () => bench.admit())
      const nothing = (): void => {
        const before = seen(bench)
        bench.settle(early.pop()!, verdict)
        deepEqual(seen(bench), before)
      }
      trip(bench)
      nothing()
      bench.wait(1_000)
      nothing()
      const probe = bench.admit()
      equal(bench.state, 'half-open')
      nothing()
      bench.settle(probe, 'healthy')
      nothing()
      bench.pass()
      bench.pass()
      equal(bench.state, 'closed')
      nothing()
      bench.circuit.isolate()
      nothing()
      bench.circuit.restore()
      nothing()
    })
  }

  test('is not taken for a probe\'s when many of them end while it is out', () => {
    const bench = benchOf()
    const early = Array.from({ length: 100 }, () => bench.admit())
    trip(bench)
    bench.wait(1_000)
    const probe = bench.admit()
    for (const admission of early) bench.settle(admission, 'healthy')
    equal(bench.state, 'half-open')
    bench.settle(probe, 'gateway')
    equal(bench.state, 'open')
  })

  test('that was a probe of an earlier round changes nothing in a later one', () => {
    const bench = benchOf()
    trip(bench)
    bench.wait(1_000)
    bench.pass('healthy')
    const [slow, failing] = [bench.admit(), bench.admit()]
    bench.settle(failing, 'gateway')
    equal(bench.state, 'open')
    bench.wait(2_000)
    const probe = bench.admit()
    for (const verdict of ['gateway', 'healthy'] as const) {
      const before = seen(bench)
      bench.settle(slow, verdict)
      deepEqual(seen(bench), before)
    }
    bench.settle(probe, 'healthy')
    equal(bench.state, 'half-open')
  })
})

suite('refusals', () => {
  test('are no evidence: 1,000 fast-fails before a recovery do not delay the next trip', () => {
    const bench = benchOf({ ramp: 0 })
    trip(bench)
    for (let n = 0; n < 1_000; n++) {
      if (bench.circuit.opensIn(bench.now) > 0) bench.circuit.refuse()
    }
    recover(bench)
    deepEqual([bench.circuit.window.total, bench.circuit.gateway], [0, 0])
    equal(drive(bench, 1, 20, () => 'gateway'), 5)
  })

  test('ask for probes: no larger a share than probeShare is let through', () => {
    for (const rate of [50, 700, 20_000]) {
      const bench = benchOf({}, seededRandom(1))
      trip(bench)
      let [probes, refused] = [0, 0]
      for (let call = 0; call < rate * 60; call++) {
        bench.wait(1_000 / rate)
        if (bench.pass('gateway')) probes++
        else refused++
      }
      // Besides those there is one at the end of each open time: 1, 2, 4, 8, 16 and 30 s fit a minute.
      ok(probes <= refused * breakerPolicy().probeShare + 7, `${probes} probes for ${refused} refused at ${rate}/s`)
      ok(probes >= 5, `${probes} probes`)
    }
  })

  test('ask for probes no closer than 25 ms, however many there are', () => {
    const bench = benchOf()
    trip(bench)
    const at: number[] = []
    for (let call = 0; call < 200_000; call++) {
      bench.wait(0.01)
      if (bench.pass('gateway')) at.push(bench.now)
    }
    ok(at.length > 10)
    for (let n = 1; n < at.length; n++) ok(at[n]! - at[n - 1]! >= 25 - 1e-6, `${at[n]! - at[n - 1]!} ms apart`)
  })

  test('make recovery seen soon when many calls wait for it, however long it has been open', () => {
    const bench = benchOf({ maxOpenTime: 600_000 })
    trip(bench)
    for (let round = 0; round < 10; round++) {
      bench.wait(bench.circuit.opensIn(bench.now))
      bench.pass('gateway')
    }
    ok(bench.circuit.opensIn(bench.now) >= 500_000)
    const began = bench.now
    while (bench.state !== 'closed') {
      bench.wait(1)
      bench.pass('healthy')
    }
    ok(bench.now - began <= 250, `${bench.now - began} ms`)
  })

  test('ask for nothing when the share is 0', () => {
    const bench = benchOf({ probeShare: 0 })
    trip(bench)
    for (let call = 0; call < 100_000; call++) {
      bench.wait(0.009)
      equal(bench.pass(), false)
    }
  })

  test('ask for probes without making the open time shorter or longer', () => {
    const bench = benchOf({ openTime: 10_000 })
    trip(bench)
    bench.wait(5_000)
    for (let n = 0; n < 100; n++) bench.circuit.refuse()
    equal(bench.pass('gateway'), true)
    equal(bench.circuit.opensIn(bench.now), 5_000)
  })
})

suite('an open circuit', () => {
  const openTimes = (bench: Bench, rounds: number): number[] => Array.from({ length: rounds }, () => {
    const time = bench.circuit.opensIn(bench.now)
    bench.wait(time)
    equal(bench.pass('gateway'), true)
    return time
  })

  test('stays open twice as long with each failed probe, up to a bound', () => {
    const bench = benchOf()
    trip(bench)
    deepEqual(openTimes(bench, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  test('shortens its open time by chance, by a fifth at most', () => {
    const bench = benchOf({}, loadedDice(0.5, 0.999))
    trip(bench)
    deepEqual(openTimes(bench, 2).map(Math.round), [900, 1_600])
    const random = seededRandom(2)
    const times = Array.from({ length: 200 }, () => {
      const other = benchOf({}, random)
      trip(other)
      return other.circuit.opensIn(other.now)
    })
    ok(times.every(time => time > 800 && time <= 1_000))
    ok(Math.min(...times) < 820 && Math.max(...times) > 980, 'all of the range is used')
  })

  test('begins with a short open time again once it has been closed', () => {
    const bench = benchOf()
    trip(bench)
    openTimes(bench, 4)
    recover(bench)
    trip(bench)
    equal(bench.circuit.opensIn(bench.now), 1_000)
  })

  test('is finite and bounded after a thousand failed probes', () => {
    const bench = benchOf({}, seededRandom(3))
    trip(bench)
    ok(openTimes(bench, 1_000).every(time => time > 0 && time <= 30_000))
  })

  test('says when it will probe, and admits nothing before', () => {
    const bench = benchOf()
    trip(bench)
    bench.wait(999)
    deepEqual([bench.circuit.opensIn(bench.now), bench.circuit.admits(bench.now), bench.admit()], [1, false, 0])
    bench.wait(1)
    deepEqual([bench.circuit.opensIn(bench.now), bench.circuit.admits(bench.now)], [0, true])
    equal(bench.state, 'open')
  })

  test('is busy, a closed one is not', () => {
    const bench = benchOf()
    equal(bench.circuit.busy, false)
    trip(bench)
    equal(bench.circuit.busy, true)
    recover(bench)
    equal(bench.circuit.busy, false)
  })
})

suite('a half-open circuit', () => {
  const halfOpen = (options?: BreakerOptions): Bench => {
    const bench = benchOf(options)
    trip(bench)
    bench.wait(1_000)
    return bench
  }

  test('closes after so many healthy probes, and not before', () => {
    for (const probes of [1, 2, 3, 7]) {
      const bench = halfOpen({ probes })
      for (let n = 1; n <= probes; n++) {
        equal(bench.state, n === 1 ? 'open' : 'half-open')
        equal(bench.pass(), true)
      }
      equal(bench.state, 'closed', `${probes} probes`)
    }
  })

  test('sends one probe ahead, then as many as are still needed', () => {
    const bench = halfOpen()
    const first = bench.admit()
    ok(first < 0)
    equal(bench.admit(), 0)
    equal(bench.circuit.opensIn(bench.now), Infinity)
    bench.settle(first, 'healthy')
    const [second, third] = [bench.admit(), bench.admit()]
    ok(second < 0 && third < 0)
    equal(bench.admit(), 0)
    bench.settle(third, 'healthy')
    equal(bench.admit(), 0)
    bench.settle(second, 'healthy')
    equal(bench.state, 'closed')
  })

  test('re-opens when a probe fails, whichever it is', () => {
    for (const verdict of ['gateway', 'unhealthy', 'throttled'] as const) {
      for (const healthy of [0, 1, 2]) {
        const bench = halfOpen()
        for (let n = 0; n < healthy; n++) bench.pass()
        bench.pass(verdict)
        equal(bench.state, 'open')
        equal(bench.admit(), 0)
        equal(bench.changes.at(-1), 'half-open > open: probe failed')
        bench.wait(2_000)
        for (let n = 0; n < 2; n++) bench.pass()
        equal(bench.state, 'half-open', 'healthy probes of the earlier round do not count')
      }
    }
  })

  test('neither closes nor opens by a probe that is aborted, and frees its place at once', () => {
    const bench = halfOpen()
    const probe = bench.admit()
    bench.wait(10)
    bench.settle(probe, 'none')
    equal(bench.state, 'open')
    equal(bench.circuit.opensIn(bench.now), 0)
    equal(bench.changes.at(-1), 'half-open > open: probe without evidence')
    const next = bench.admit()
    ok(next < 0)
    bench.settle(next, 'gateway')
    equal(bench.circuit.opensIn(bench.now), 2_000, 'the open time goes on growing')
  })

  test('frees the place of an aborted probe that demand had asked for, too: the next call probes at once', () => {
    const bench = benchOf({ openTime: 10_000 })
    trip(bench)
    bench.wait(100)
    for (let n = 0; n < 100; n++) bench.circuit.refuse()
    const probe = bench.admit()
    ok(probe < 0)
    bench.settle(probe, 'none')
    equal(bench.circuit.opensIn(bench.now), 0)
    ok(bench.admit() < 0)
  })

  test('keeps the healthy probes it had when a later one is aborted', () => {
    const bench = halfOpen()
    bench.pass()
    const [second, third] = [bench.admit(), bench.admit()]
    bench.settle(second, 'none')
    bench.settle(third, 'none')
    equal(bench.state, 'half-open')
    bench.pass()
    bench.pass()
    equal(bench.state, 'closed')
  })

  test('is not wedged by a thousand aborted probes', () => {
    const bench = halfOpen()
    for (let n = 0; n < 1_000; n++) {
      const probe = bench.admit()
      ok(probe < 0, `probe ${n}`)
      bench.settle(probe, 'none')
    }
    for (let n = 0; n < 3; n++) bench.pass()
    equal(bench.state, 'closed')
  })
})

suite('a circuit that has closed', () => {
  test('forgets the window of before', () => {
    const bench = benchOf({ ramp: 0 })
    drive(bench, 100, 200, call => call % 5 < 2 ? 'unhealthy' : 'healthy')
    ok(drive(bench, 100, 200, () => 'gateway') !== undefined)
    bench.wait(1_000)
    for (let n = 0; n < 3; n++) bench.pass()
    deepEqual([bench.circuit.window.total, bench.circuit.window.failures], [0, 0])
    equal(drive(bench, 100, 4, () => 'gateway'), undefined)
    equal(bench.state, 'closed')
  })

  test('takes calls up again a few at a time, one more with each success', () => {
    const bench = benchOf()
    trip(bench)
    recover(bench)
    const three = [bench.admit(), bench.admit(), bench.admit()]
    ok(three.every(admission => admission > 0))
    equal(bench.admit(), 0)
    equal(bench.circuit.why(bench.now), 'ramping up after it closed')
    bench.settle(three[0]!, 'healthy')
    ok(bench.admit() > 0 && bench.admit() > 0)
    equal(bench.admit(), 0)
    bench.settle(three[1]!, 'none')
    ok(bench.admit() > 0)
    equal(bench.admit(), 0)
  })

  test('is through with that after the ramp\'s time, or at once without one', () => {
    const ramping = benchOf({ ramp: 500 })
    trip(ramping)
    recover(ramping)
    for (let n = 0; n < 3; n++) ramping.admit()
    ramping.wait(499)
    equal(ramping.admit(), 0)
    ramping.wait(1)
    for (let n = 0; n < 100; n++) ok(ramping.admit() > 0)

    const steep = benchOf({ ramp: 0 })
    trip(steep)
    recover(steep)
    for (let n = 0; n < 100; n++) ok(steep.admit() > 0)
  })

  test('opens again as soon as ever when it fails on the ramp', () => {
    const bench = benchOf()
    trip(bench)
    recover(bench)
    for (let n = 0; n < 5; n++) equal(bench.pass('gateway'), true)
    equal(bench.state, 'open')
  })
})

suite('by hand', () => {
  test('a circuit is isolated from any state, until it is restored', () => {
    const openings: Record<string, (bench: Bench) => void> = {
      'closed': () => {},
      'open': trip,
      'half-open': bench => {
        trip(bench)
        bench.wait(1_000)
        bench.admit()
      },
    }
    for (const [from, open] of Object.entries(openings)) {
      const bench = benchOf()
      open(bench)
      bench.circuit.isolate()
      bench.circuit.isolate()
      equal(bench.changes.at(-1), `${from} > isolated: isolated by hand`)
      equal(bench.changes.filter(change => change.includes('isolated:')).length, 1)
      deepEqual([bench.state, bench.circuit.busy, bench.circuit.opensIn(bench.now)], ['isolated', true, Infinity])
      for (let n = 0; n < 10_000; n++) bench.circuit.refuse()
      bench.wait(1_000_000)
      equal(bench.admit(), 0)
      equal(bench.circuit.why(bench.now), 'isolated by hand')
      bench.circuit.restore()
      equal(bench.changes.at(-1), 'isolated > closed: restored by hand')
      for (let n = 0; n < 100; n++) ok(bench.admit() > 0, 'all at once')
    }
  })

  test('an open circuit is closed, and a hold lifted', () => {
    const bench = benchOf()
    trip(bench)
    bench.circuit.holds.begin(5_000, bench.now)
    bench.circuit.restore()
    equal(bench.changes.at(-1), 'open > closed: restored by hand')
    equal(bench.pass(), true)
  })

  test('restoring a closed circuit is no change', () => {
    const bench = benchOf()
    bench.circuit.restore()
    deepEqual(bench.changes, [])
  })

  test('what was in flight when it was isolated counts for nothing after', () => {
    const bench = benchOf()
    const early = Array.from({ length: 10 }, () => bench.admit())
    bench.circuit.isolate()
    bench.circuit.restore()
    for (const admission of early) bench.settle(admission, 'gateway')
    deepEqual([bench.state, bench.circuit.window.total], ['closed', 0])
  })
})

suite('a hold', () => {
  test('refuses calls for so long, and says why and until when', () => {
    const bench = benchOf()
    bench.circuit.holds.begin(2_000, bench.now)
    deepEqual([bench.state, bench.admit(), bench.circuit.opensIn(bench.now), bench.circuit.busy], ['closed', 0, 2_000, true])
    equal(bench.circuit.why(bench.now), 'the upstream asked to wait (Retry-After)')
    bench.wait(1_999)
    equal(bench.admit(), 0)
    bench.wait(1)
    ok(bench.admit() > 0)
    equal(bench.circuit.busy, false)
  })

  test('ends when as many calls as close a circuit come back well meanwhile: it asked for less, not for nothing', () => {
    const bench = benchOf({ probes: 3 })
    const inFlight = Array.from({ length: 5 }, () => bench.admit())
    bench.circuit.holds.begin(2_000, bench.now)
    for (const verdict of ['healthy', 'throttled', 'healthy'] as const) bench.settle(inFlight.pop()!, verdict)
    bench.circuit.holds.begin(2_000, bench.now)
    equal(bench.admit(), 0)
    bench.settle(inFlight.pop()!, 'healthy')
    ok(bench.admit() > 0)
    bench.circuit.holds.begin(2_000, bench.now)
    bench.settle(inFlight.pop()!, 'healthy')
    equal(bench.admit(), 0, 'each hold counts anew')
  })

  test('is bounded, and not shortened by a shorter one', () => {
    const bench = benchOf({ maxHold: 3_000 })
    for (const ms of [86_400_000, 0]) {
      bench.circuit.holdPath('/orders', ms, bench.now)
      equal(bench.circuit.holds.pathLeft('/orders', bench.now), 3_000)
    }
    for (const ms of Array<number>(100).fill(86_400_000)) bench.circuit.holdPath('/orders', ms, bench.now)
    equal(bench.circuit.opensIn(bench.now), 3_000)
  })

  test('keeps an open circuit from probing, by time or by demand', () => {
    const bench = benchOf()
    trip(bench)
    bench.circuit.holds.begin(5_000, bench.now)
    for (let n = 0; n < 10_000; n++) bench.circuit.refuse()
    bench.wait(4_999)
    deepEqual([bench.admit(), bench.circuit.opensIn(bench.now)], [0, 1])
    bench.wait(1)
    ok(bench.admit() < 0)
  })

  test('keeps a half-open one from probing, and says for how long', () => {
    const bench = benchOf()
    trip(bench)
    bench.wait(1_000)
    bench.pass()
    bench.circuit.holds.begin(700, bench.now)
    deepEqual([bench.state, bench.admit(), bench.circuit.opensIn(bench.now)], ['half-open', 0, 700])
    bench.wait(700)
    ok(bench.admit() < 0)
  })
})
