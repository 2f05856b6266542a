import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import type { Report, Row } from '../../bench/report/report.ts'
import { approved, between, markdown, read } from './approved.ts'

/*
 * docs/benchmarks.md tells of runs that are kept beside it: its tables, and what it was measured on, are made of those.
 */

const PAGE = 'docs/benchmarks.md'

const reportOf = (part: string): Report => JSON.parse(read(`docs/bench/${part}.json`)) as Report
const [overhead, layers, scale] = ['overhead', 'layers', 'scale'].map(reportOf) as [Report, Report, Report]

const rowsOf = ({ sections }: Report, id: string): readonly Row[] =>
  sections.flatMap(({ tables }) => tables).find(table => table.id === id)!.rows
const valueOf = (rows: readonly Row[], name: string, key: string): number => rows.find(row => row.name === name)!.values[key]!
/** As the report has it, so that a number is found there. */
const whole = (value: number | undefined, unit: 'ns' | 'B'): string => `${Math.round(value!).toLocaleString('en-US')} ${unit}`

/** How a contender is called on the page, where that is not what the benchmark calls it. */
const CALLED: Readonly<Record<string, string>> = {
  'breakwater': '**breakwater**', 'undici pool.request': 'bare undici', 'cockatiel ×4': 'cockatiel, four policies',
}

function overheads(): string {
  const cases = ['get', 'post', 'large', 'stream'].map(name => rowsOf(overhead, `overhead.${name}`))
  const [get] = cases as [readonly Row[]]
  return markdown(
    ['', 'GET, small JSON', 'POST, small JSON', 'GET, large body', 'GET, streamed'],
    get.toSorted((a, b) => a.values['ratio']! - b.values['ratio']!)
      .map(({ name }) => [CALLED[name] ?? name, ...cases.map(rows => valueOf(rows, name, 'ratio').toFixed(2))]),
  )
}

/** Own cost above the transport's; of a refusal, which meets no transport, all of it. */
function stack(): string {
  const rows = rowsOf(layers, 'layers.stack')
  const line = (what: string, name: string): string[] => {
    const { own, ns, ownBytes, bytes } = rows.find(row => row.name === name)!.values
    return [what, whole(own ?? ns, 'ns'), whole(ownBytes ?? bytes, 'B')]
  }
  return markdown(['', 'CPU', 'heap'], [
    line('`await client.get(url)`', 'client.get'),
    line('the same, failing, in a full window', 'failing call, full window'),
    line('refused: the circuit is open', 'refusal, circuit open'),
    line('opossum and p-retry around the same', 'opossum + p-retry'),
    line('the same, refused', 'opossum + p-retry, refusal'),
    line('cockatiel, four policies around the same', 'cockatiel ×4'),
    line('the same, refused', 'cockatiel ×4, refusal'),
  ])
}

function many(): string {
  const [upstreams, idle] = [rowsOf(scale, 'scale.upstreams'), rowsOf(scale, 'scale.idle')]
  return markdown(['upstreams, called in turn', 'CPU per call', 'to one alone'], upstreams.map(({ name, values }) =>
    [name, whole(values['ns'], 'ns'), values['ratio']!.toFixed(2)]))
    + `\n\nAn idle upstream takes ${whole(valueOf(idle, 'configured, never called', 'bytes'), 'B')} of heap before its first call,`
    + ` ${whole(valueOf(idle, 'called once, no socket', 'bytes'), 'B')} after it, and no timer.`
}

/** All runs are of one machine, or the page would have to say which. */
function machine(): string {
  const processors = [overhead, layers, scale].map(({ machine }) => machine.processor)
  deepEqual(new Set(processors), new Set([overhead.machine.processor]))
  const { date, processor, cores, node, versions } = overhead.machine
  const peers = ['undici', 'cockatiel', 'got', 'ky', 'axios'].map(name => `${name} ${versions[name]!}`).join(', ')
  return `Measured on ${date.slice(0, 10)}: ${processor}, ${cores} shared cores, Node ${node}, ${peers}.`
}

test('the tables of docs/benchmarks.md say what was measured', () => {
  const parts = { overhead: overheads(), layers: stack(), scale: many(), machine: machine() }
  approved(PAGE, Object.entries(parts).reduce((page, [name, text]) => between(page, name, text), read(PAGE)))
})
