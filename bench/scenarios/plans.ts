import { parsePhases, type OutageKind, type Span } from '../../demo/phases.ts'

/** One bad day of an upstream: 20 workers × 20 ms, which is 1,000 calls/s. */
export interface Scenario {
  readonly name: string
  /** What happens. */
  readonly about: string
  /** Calls per second. */
  readonly rate: number
  readonly outage: OutageKind
  /** As the demo's `--phases`; in brackets what it is under `--short`. */
  readonly phases: string
  readonly brief?: string
  /** Whether it is the flaky upstream, which has no queue. */
  readonly flaky?: boolean
}

const outage = (name: string, kind: OutageKind, about: string, brief?: string): Scenario => ({
  name, about, rate: 700, outage: kind, phases: 'health:3,outage:5,recovery:10', ...brief !== undefined && { brief },
})

/** The share of calls that the flaky upstream answers with 502. */
export const FLAKY = 0.2
/** ms a caller waits. */
export const DEADLINE = 500
/** Workers of the model upstream, and ms each takes for a call. */
export const WORKERS = 20
export const SERVICE_TIME = 20

/** The scenarios, in the order they are run; under `--short` only those with a brief form. */
export const SCENARIOS: readonly Scenario[] = [
  outage('outage 502', '502', 'every call is answered 502 at once for 5 s', 'health:0.5,outage:1,recovery:0.75'),
  outage('outage reset', 'reset', 'every connection is reset for 5 s'),
  outage('hang', 'hang', 'nothing is answered for 5 s'),
  {
    name: 'brown-out', about: '20 workers become 2 for 5 s', rate: 700, outage: '502',
    phases: 'health:3,brown-out:5,recovery:15',
  },
  { name: 'overload', about: '1,500 calls/s for 15 s', rate: 1_500, outage: '502', phases: 'load:15' },
  {
    name: 'flaky', about: 'one call in five fails with 502', rate: 500, outage: '502', flaky: true,
    phases: 'load:10', brief: 'load:1',
  },
]

/** What happens when, in full or in brief. */
export const spansOf = ({ phases, brief }: Scenario, short: boolean): Span[] => parsePhases(short ? brief ?? phases : phases)
