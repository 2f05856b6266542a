import { test } from 'node:test'
import { ALL, prometheusName, type Instrument } from '../../src/telemetry/instruments.ts'
import { approved, between, read } from './approved.ts'

const row = (instrument: Instrument): string => {
  const { name, kind, unit, labels, help } = instrument
  const told = labels.map(label => `\`${label}\``).join(' ')
  return `| \`${prometheusName(instrument)}\` | \`${name}\` | ${kind} | ${unit.replace(/[{}]/g, '')} | ${told} | ${help} |`
}

test('the table of docs/observability.md has every metric there is, and no other', () => {
  const file = 'docs/observability.md'
  const table = ['| Prometheus | OpenTelemetry | kind | unit | labels | |', '|---|---|---|---|---|---|', ...ALL.map(row)]
  approved(file, between(read(file), 'metrics', table.join('\n')))
})
