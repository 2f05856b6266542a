import { written } from './report/format.ts'
import { figuresOf, type Judged, type Section, type Unit } from './report/report.ts'

/** A figure to reach. */
export interface Target {
  /** `<table>.<row>.<column>`, as in the report. */
  readonly figure: string
  readonly what: string
  readonly atMost?: number
  readonly atLeast?: number
  readonly unit: Unit
  /** What was measured of the peers when the figure was set. */
  readonly peers: string
}

const KIB = 1024

const speed: readonly Target[] = [
  {
    figure: 'overhead.get.breakwater.ratio', what: 'CPU of client.get(url).json() to bare undici’s', atMost: 1, unit: 'ratio',
    peers: 'cockatiel ×4 1.9, undici fetch 3.1, ky 4.8, got 5.7, axios 6.2',
  },
  {
    figure: 'layers.stack.client.get.own', what: 'whole stack over a no-op transport', atMost: 1_500, unit: 'ns',
    peers: 'cockatiel ×4 7.7 µs; Polly’s five (.NET) 0.77 µs',
  },
  { figure: 'layers.stack.client.get.ownBytes', what: 'heap per call of it', atMost: 1.5 * KIB, unit: 'bytes', peers: '' },
  {
    figure: 'layers.stack.refusal, circuit open.ns', what: 'open-circuit refusal, await client.get(url)', atMost: 800, unit: 'ns',
    peers: 'opossum 3.5 µs, cockatiel 3.5 µs, Polly 5.2 µs',
  },
  { figure: 'layers.single.breaker, circuit open.own', what: 'the same, the layer alone', atMost: 300, unit: 'ns', peers: '' },
  {
    figure: 'layers.stack.failing call, full window.own', what: 'failing call in a full 10 s window, above the transport',
    atMost: 3_000, unit: 'ns', peers: 'opossum 1,321 µs (percentiles) or 8 µs',
  },
  {
    figure: 'scale.upstreams.10,000.ratio', what: 'cost per call, 10,000 upstreams to 1', atMost: 1.2, unit: 'ratio', peers: '',
  },
  {
    figure: 'scale.idle.configured, never called.bytes', what: 'heap of an idle upstream', atMost: 4 * KIB,
    unit: 'bytes', peers: '',
  },
  {
    figure: 'scale.idle.called once, no socket.bytes', what: 'heap of an idle upstream, once called', atMost: 4 * KIB,
    unit: 'bytes', peers: '',
  },
  {
    figure: 'scale.idle.called once, no socket.timers', what: 'timers of an idle upstream', atMost: 0.01,
    unit: 'count', peers: '',
  },
]

const scenario = (
  name: string, column: string, what: string, unit: Unit, bound: { atMost: number } | { atLeast: number }, peers = '',
): Target => ({ figure: `scenarios.${name}.breakwater.${column}`, what: `${name}: ${what}`, unit, peers, ...bound })

const outage = (name: string): readonly Target[] => [
  scenario(name, 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.03 }, '1.02'),
  scenario(name, 'after', 'goodput in the 10 s after', 'share', { atLeast: 0.98 }, '96.4 %'),
  scenario(name, 'back', 'back to 95 %', 'ms', { atMost: 500 }, '0.25 s'),
  scenario(name, 'median', 'median time to a failure', 'ms', { atMost: 0.1 }, '0.1 ms'),
]

const resilience: readonly Target[] = [
  ...outage('outage 502'),
  ...outage('outage reset'),
  scenario('hang', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.03 }, '0.17'),
  scenario('hang', 'after', 'goodput in the 10 s after', 'share', { atLeast: 0.99 }, '99.8 %'),
  scenario('brown-out', 'goodput', 'goodput during (ideal 14.3 %)', 'share', { atLeast: 0.13 }, '2 %'),
  scenario('brown-out', 'after', 'goodput in the 15 s after', 'share', { atLeast: 0.99 }, '90 %'),
  scenario('brown-out', 'back', 'back to 95 %', 'ms', { atMost: 250 }, '1.5 s'),
  scenario('brown-out', 'queue', 'longest upstream queue', 'count', { atMost: 60 }, '150, most of them thousands'),
  scenario('brown-out', 'median', 'median time to a failure', 'ms', { atMost: 50 }, '0.1 ms'),
  scenario('brown-out', 'p99', 'p99 time to a failure', 'ms', { atMost: 510 }, '2,171 ms'),
  scenario('overload', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.65 }, '65 % hand-tuned, 0–16 % untuned'),
  scenario('flaky', 'goodput', 'goodput', 'share', { atLeast: 0.999 }, '99.9 %'),
  scenario('flaky', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 1.26 }, '1.25'),
]

const harm = (
  name: string, row: string, column: string, what: string, unit: Unit, bound: { atMost: number } | { atLeast: number },
  peers: string,
): Target => ({ figure: `harm.${name}.${row}.${column}`, what: `${name}: ${what}`, unit, peers, ...bound })

const honest = (name: string, peers: string): Target =>
  harm(name, 'breakwater', 'answered', 'honest calls answered', 'share', { atLeast: 0.995 }, peers)

const behind = (name: string, peers: string): Target =>
  harm(name, 'breakwater', 'answered', 'good route answered', 'share', { atLeast: 0.95 }, peers)

const badRoute = (rate: number, peers: string): readonly Target[] =>
  [['breakwater', 'good route answered'], ['breakwater’s gateway', 'the same through the gateway']].map(([row = '', what = '']) =>
    harm(`one bad route, ${rate}/s`, row, 'answered', what, 'share', { atLeast: 0.99 }, peers))

/** Protection must not do what it is there to prevent. */
const harmless: readonly Target[] = [
  honest('25 slow uploads', 'http-proxy-3, reply-from 100 %'),
  honest('1,000 slow uploads', 'http-proxy-3 100 %, reply-from 0.3 %'),
  honest('25 slow downloads', 'http-proxy-3, reply-from 100 %'),
  honest('1,000 slow downloads', 'http-proxy-3 100 %, reply-from 0 %'),
  honest('500 subscribers', 'http-proxy-3 100 %, reply-from 0 %'),
  honest('100 stopped replies', 'http-proxy-3, reply-from 100 %'),
  behind('behind Varnish', 'undici, cockatiel ×4 100 %, opossum 0 %'),
  behind('behind nginx', 'undici, cockatiel ×4 100 %, opossum 0 %'),
  behind('behind our gateway', 'undici 98 %, cockatiel ×4 96 %'),
  // The most of eight runs while a 503’s Retry-After held all calls of an endpoint: 9 of 2,000.
  harm('wholly overloaded', 'breakwater', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.005 },
    'undici 1, cockatiel ×4 0.019, opossum 0.001'),
  ...badRoute(1, 'undici, cockatiel ×4 100 %, opossum 0 %'),
  ...badRoute(6, 'undici 100 %, cockatiel ×4 97 %, opossum 1 %'),
  ...badRoute(60, 'undici, cockatiel ×4 100 %, opossum 1 %'),
]

const fleet = (
  name: string, column: string, what: string, unit: Unit, bound: { atMost: number } | { atLeast: number },
): Target => ({ figure: `fleet.${name}.${column}`, what: `fleet, ${name}: ${what}`, unit, peers: '', ...bound })

/** A hundred milliseconds of a steady 700 calls/s hold up to 1.4 times their share by chance alone. */
const NO_SPIKE = { atMost: 1.5 }

/** Everybody comes back after a spell, neither at once nor in waves. */
const comesBack = (name: string, ms: number): readonly Target[] => [
  fleet(name, 'back', 'back to 95 %', 'ms', { atMost: ms }),
  fleet(name, 'peakAfter', 'peak afterwards / offered', 'ratio', NO_SPIKE),
  fleet(name, 'dip', 'worst second once it is back', 'share', { atLeast: 0.95 }),
  fleet(name, 'opened', 'circuits opened per client', 'ratio', { atMost: 1.05 }),
  fleet(name, 'together', 'most probes in 100 ms, of all', 'share', { atMost: 0.1 }),
]

/** Of fleets in virtual time, where they are the same on every machine: a test holds them. */
const fleets: readonly Target[] = [
  ...comesBack('outage', 4_000),
  fleet('outage', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.45 }),
  fleet('outage', 'peak', 'peak / offered', 'ratio', { atMost: 3.5 }),
  ...comesBack('long outage', 30_000),
  fleet('long outage', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.06 }),
  ...comesBack('hang', 6_000),
  fleet('hang', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.5 }),
  ...comesBack('brown-out', 6_000),
  fleet('brown-out', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.5 }),
  fleet('overload', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.62 }),
  fleet('overload', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.72 }),
  fleet('overload', 'fair', 'fairness among the clients', 'ratio', { atLeast: 0.85 }),
  fleet('overload', 'worst', 'goodput of the client that fares worst', 'share', { atLeast: 0.25 }),
  fleet('long overload', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.62 }),
  fleet('long overload', 'worst', 'goodput of the client that fares worst', 'share', { atLeast: 0.2 }),
  fleet('long overload', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.72 }),
  fleet('throttled', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.6 }),
  fleet('throttled', 'queue', 'longest queue', 'count', { atMost: 20 }),
  fleet('throttled', 'opened', 'circuits opened per client', 'ratio', { atMost: 0 }),
  fleet('throttled', 'fair', 'fairness among the clients', 'ratio', { atLeast: 0.95 }),
  fleet('flaky', 'goodput', 'goodput', 'share', { atLeast: 0.99 }),
  fleet('flaky', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 1.26 }),
  fleet('flaky', 'opened', 'circuits opened per client', 'ratio', { atMost: 0.02 }),
  fleet('very flaky', 'goodput', 'goodput', 'share', { atLeast: 0.94 }),
  fleet('very flaky', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 1.45 }),
  fleet('very flaky', 'opened', 'circuits opened per client', 'ratio', { atMost: 0.2 }),
  fleet('deploy', 'goodput', 'goodput', 'share', { atLeast: 0.999 }),
  fleet('deploy', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 1.35 }),
  fleet('hang, one client', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.03 }),
  fleet('hang, one client', 'after', 'goodput afterwards', 'share', { atLeast: 0.985 }),
  fleet('hang, one client', 'back', 'back to 95 %', 'ms', { atMost: 250 }),
  fleet('hang, one client', 'opened', 'circuits opened', 'count', { atMost: 1 }),
  fleet('brown-out, one client', 'goodput', 'goodput (ideal 14.3 %)', 'share', { atLeast: 0.13 }),
  fleet('brown-out, one client', 'after', 'goodput afterwards', 'share', { atLeast: 0.99 }),
  fleet('brown-out, one client', 'queue', 'longest queue', 'count', { atMost: 60 }),
  fleet('long overload, one client', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.63 }),
  fleet('throttled, one client', 'goodput', 'goodput (ideal 66.7 %)', 'share', { atLeast: 0.6 }),
  fleet('throttled, one client', 'reached', 'calls that reach it / offered', 'ratio', { atMost: 0.8 }),
  fleet('2,000 upstreams', 'spared', 'goodput of the upstreams that are well', 'share', { atLeast: 1 }),
  ...comesBack('2,000 upstreams', 16_000),
]

/** The figures to reach. */
export const TARGETS: readonly Target[] = [...speed, ...resilience, ...harmless, ...fleets]

/** What holds on every machine: counts per call, of which more than this is a defect. */
export const INVARIANTS: readonly Target[] = [
  ...['timers', 'AbortControllers and signals', 'listeners left'].map((row): Target => ({
    figure: `scale.counts.${row}.count`, what: `${row} per call`, atMost: 0.01, unit: 'count', peers: '',
  })),
]

/** Holds what was measured against the figures to reach. */
export function judge(sections: readonly Section[], targets: readonly Target[]): Judged[] {
  const figures = figuresOf(sections)
  return targets.map(({ figure, what, atMost, atLeast, unit, peers }) => {
    const value = figures.get(figure)
    const bound = atMost === undefined ? `≥ ${written(atLeast, unit)}` : `≤ ${written(atMost, unit)}`
    const isReached = value !== undefined && value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity)
    const outcome = value === undefined ? 'not measured' : isReached ? 'reached' : 'short'
    return { figure, what, bound, value, unit, peers, outcome }
  })
}
