import { deepEqual, equal, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Circuit, type Admission } from '../../../src/upstream/circuit/circuit.ts'
import type { CircuitState } from '../../../src/outcome/circuit-state.ts'
import type { BreakerOptions } from '../../../src/options/breaker-options.ts'
import type { Verdict } from '../../../src/outcome/verdict.ts'
import { breakerPolicy } from '../../support/calls.ts'
import { createTestClock, type TestClock } from '../../support/clock.ts'

/*
 * The circuit in every order of start, settle, abort and tick with up to three calls in flight, from several beginnings.
 * A walk is a list of moves; every walk of a given length is made on a fresh circuit, and each of its moves is checked.
 */

/** An abort is an outcome without evidence, and so is a probe's after its caller has gone. */
type Move = 'start' | 'tick' | 'wait' | { readonly settle: Admission; readonly as: Verdict }

const IN_FLIGHT = 3
const PROBES = 2
const OPTIONS: BreakerOptions = { consecutive: 2, probes: PROBES, openTime: 100, maxOpenTime: 400, ramp: 50, probeShare: 0.5 }
const VERDICTS: readonly Verdict[] = ['healthy', 'gateway', 'none']

/** Which changes may happen at all. */
const EDGES: ReadonlySet<string> = new Set(['closed > open', 'open > half-open', 'half-open > open', 'half-open > closed'])

/** How often each change was seen, and each kind of move: a walk that never leaves home proves nothing. */
const census = new Map<string, number>()
const count = (what: string): void => void census.set(what, (census.get(what) ?? 0) + 1)

/** A circuit with calls in flight, and what must be true of it. */
class Walk {
  readonly clock: TestClock = createTestClock()
  readonly circuit: Circuit
  /** What is in flight, in order; a number is what `admit()` gave. */
  readonly calls: Admission[] = []
  #changes: string[] = []
  #state: CircuitState = 'closed'
  /** Admissions given since the last change of state that began something new, to tell stale ones. */
  #current = new Set<Admission>()
  #healthyProbes = 0

  constructor() {
    this.circuit = new Circuit(breakerPolicy(OPTIONS), { clock: this.clock, random: () => 0.5 }, (from, to) => {
      equal(from, this.#state, 'each change goes on where the last one ended')
      const edge = `${from} > ${to}`
      ok(EDGES.has(edge), edge)
      this.#changes.push(edge)
      this.#state = to
      count(edge)
    })
  }

  /** The moves that can be made now; calls that stand alike are settled once. */
  get moves(): Move[] {
    const moves: Move[] = ['tick', 'wait']
    if (this.calls.length < IN_FLIGHT) moves.push('start')
    for (const settle of new Set(this.calls)) for (const as of VERDICTS) moves.push({ settle, as })
    return moves
  }

  make(move: Move): void {
    this.#changes = []
    if (move === 'tick') this.#pass(10)
    else if (move === 'wait') this.#pass(200)
    else if (move === 'start') this.#start()
    else this.#settle(move.settle, move.as)
    equal(this.circuit.state, this.#state, 'the state is the one that was told of')
    this.#check()
  }

  #pass(ms: number): void {
    this.clock.tick(ms)
    deepEqual(this.#changes, [], 'time alone changes nothing: somebody has to call')
  }

  #start(): void {
    const now = this.clock.now()
    const expected = this.circuit.admits(now)
    const before = this.#state
    const admission = this.circuit.admit(now)
    equal(admission !== 0, expected, 'it admits what it says it admits')
    if (admission === 0) {
      this.circuit.refuse()
      deepEqual(this.#changes, [], 'a refusal changes nothing')
      count('refused')
      return
    }
    equal(admission < 0, before !== 'closed', 'a call is a probe if the circuit is not closed')
    if (before === 'open') {
      deepEqual(this.#changes, ['open > half-open'])
      this.#healthyProbes = 0
      this.#current.clear()
    } else deepEqual(this.#changes, [])
    this.#current.add(admission)
    this.calls.push(admission)
  }

  #settle(admission: Admission, as: Verdict): void {
    this.calls.splice(this.calls.indexOf(admission), 1)
    const isCurrent = this.#current.has(admission)
    const before = this.#seen()
    this.circuit.settle(admission, as, 1, this.clock.now())
    if (!isCurrent) {
      deepEqual(this.#seen(), before, 'a call from before the last change changes nothing')
      count(`stale ${as}`)
    } else if (admission < 0) this.#settledProbe(as)
    else this.#settledCall(as, before.window)
    if (this.#changes.some(change => change.endsWith('closed') || change === 'closed > open' || change === 'half-open > open')) {
      this.#current.clear()
    }
  }

  #settledProbe(as: Verdict): void {
    count(`probe ${as}`)
    if (as === 'gateway') deepEqual(this.#changes, ['half-open > open'], 'a failed probe opens')
    else if (as === 'healthy') {
      this.#healthyProbes++
      const closes = this.#healthyProbes === PROBES
      deepEqual(this.#changes, closes ? ['half-open > closed'] : [], 'so many healthy probes close, and no fewer')
    } else {
      const last = this.#probesOut === 0 && this.#healthyProbes === 0
      deepEqual(this.#changes, last ? ['half-open > open'] : [], 'a probe without evidence frees its place')
      if (last) equal(this.circuit.admits(this.clock.now()), true, 'for the next call')
    }
  }

  #settledCall(as: Verdict, before: number): void {
    count(`call ${as}`)
    if (as !== 'gateway') deepEqual(this.#changes, [], 'only a failure opens a closed circuit')
    const counted = as === 'none' ? 0 : 1
    if (this.#state === 'closed') equal(this.circuit.window.total, before + counted, 'what has settled is counted once')
  }

  get #probesOut(): number {
    return this.calls.filter(admission => admission < 0 && this.#current.has(admission)).length
  }

  #seen(): { state: CircuitState; opensIn: number; admits: boolean; why: string; window: number; runs: number[] } {
    const now = this.clock.now()
    const { circuit } = this
    return {
      state: circuit.state, opensIn: circuit.opensIn(now), admits: circuit.admits(now), why: circuit.why(now),
      window: circuit.window.total, runs: [circuit.gateway, circuit.unhealthy],
    }
  }

  #check(): void {
    const now = this.clock.now()
    const { circuit } = this
    ok(this.#probesOut + this.#healthyProbes <= PROBES || circuit.state !== 'half-open', 'no more probes than are needed')
    if (circuit.state === 'half-open') ok(this.#probesOut > 0 || circuit.admits(now), 'half-open is never a dead end')
    if (circuit.admits(now)) equal(circuit.opensIn(now), 0)
    if (circuit.state === 'open') ok(circuit.opensIn(now) <= 400, 'it opens again in bounded time')
  }

  /**
   * From here, time and healthy calls lead to closed, whatever hangs: a probe ends at its time limit, the other calls in
   * flight may stay there for ever.
   */
  recovers(): void {
    for (const admission of this.calls.filter(call => call < 0)) this.make({ settle: admission, as: 'gateway' })
    this.calls.length = 0
    for (let round = 0; round <= PROBES && this.circuit.state !== 'closed'; round++) {
      this.make('wait')
      this.make('wait')
      this.make('start')
      const admission = this.calls.at(-1)
      ok(admission !== undefined, 'a call is admitted')
      this.make({ settle: admission, as: 'healthy' })
    }
    equal(this.circuit.state, 'closed')
    this.make('wait')
    for (let n = 0; n < IN_FLIGHT; n++) this.make('start')
    equal(this.calls.length, IN_FLIGHT, 'and then it admits calls as ever')
  }
}

const replay = (moves: readonly Move[]): Walk => {
  const walk = new Walk()
  for (const move of moves) walk.make(move)
  return walk
}

/** Makes every walk of `depth` moves after those of `path`. */
const explore = (path: Move[], depth: number): number => {
  const walk = replay(path)
  if (depth === 0) {
    walk.recovers()
    return 1
  }
  const { moves } = walk
  let walks = 0
  for (const move of moves) walks += explore([...path, move], depth - 1)
  return walks
}

/** How deep to go with so many calls in flight: the more there are, the more there is to try. */
const DEPTHS = [6, 6, 5, 5] as const

const inFlight = (moves: readonly Move[]): number => {
  const walk = replay(moves)
  return walk.calls.length
}

/** A list of moves; `settle` is the place of a call in flight, from the oldest. */
const path = (...steps: ('start' | 'tick' | 'wait' | [place: number, as: Verdict])[]): Move[] => {
  const walk = new Walk()
  const moves = steps.map((step): Move => {
    const move = typeof step === 'string' ? step : { settle: walk.calls[step[0]]!, as: step[1] }
    walk.make(move)
    return move
  })
  return moves
}

const TRIP: Parameters<typeof path> = ['start', 'start', [0, 'gateway'], [0, 'gateway']]

suite('every order of start, settle, abort and tick, up to three calls in flight,', () => {
  const beginnings: Record<string, Parameters<typeof path>> = {
    'from the very beginning': [],
    'one failure before the trip, with calls in flight': ['start', [0, 'gateway'], 'start', 'start'],
    'open': TRIP,
    'open, with a call from before': ['start', ...TRIP],
    'with a probe out and a call from before': ['start', ...TRIP, 'wait', 'start'],
    'with one healthy probe and two more out': [...TRIP, 'wait', 'start', [0, 'healthy'], 'start'],
    'in the second round, with a probe of the first still out': [
      'start', ...TRIP, 'wait', 'start', [1, 'healthy'], 'start', [1, 'none'], 'start', [1, 'gateway'], 'wait', 'wait', 'start',
    ],
    'on the ramp, with a call from before the trip': [
      'start', ...TRIP, 'wait', 'start', [1, 'healthy'], 'start', [1, 'healthy'], 'start',
    ],
  }
  for (const [name, steps] of Object.entries(beginnings)) {
    test(`keeps every promise, ${name}`, () => {
      const moves = path(...steps)
      const walks = explore(moves, DEPTHS[inFlight(moves)]!)
      ok(walks > 1_000, `${walks} walks`)
    })
  }

  test('has met every change of state and every kind of outcome', () => {
    const met = [
      ...EDGES, 'refused', ...VERDICTS.flatMap(as => [`stale ${as}`, `probe ${as}`, `call ${as}`]),
    ]
    for (const what of met) ok((census.get(what) ?? 0) > 100, `${what}: ${census.get(what) ?? 0} times`)
  })
})
