import { deepEqual, equal, throws } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { readSettings } from '../../demo/options.ts'
import { totalOf } from '../../demo/phases.ts'

const read = (...args: string[]) => readSettings(args, true)

suite('the command line of the demo', () => {
  test('has sensible defaults', () => {
    const { experiment, check, json } = read()
    const { spans, ...rest } = experiment
    deepEqual(rest, { rate: 700, deadline: 500, outage: '502', workers: 20, serviceTime: 20 })
    deepEqual(spans.map(span => span.name), ['health', 'outage', 'recovery', 'brown-out', 'recovery'])
    deepEqual([totalOf(spans), check, json], [26_000, false, undefined])
  })

  test('takes what can be changed', () => {
    const { experiment, check, json, svg } = read(
      '--rate', '100', '--deadline', '250', '--phases', 'outage:1,recovery:2', '--outage', 'hang', '--workers', '5',
      '--service-time', '10', '--check', '--json', 'a.json', '--svg', 'a.svg',
    )
    const { spans, ...rest } = experiment
    deepEqual(rest, { rate: 100, deadline: 250, outage: 'hang', workers: 5, serviceTime: 10 })
    deepEqual([totalOf(spans), check, json, svg], [3000, true, 'a.json', 'a.svg'])
  })

  test('can be short, and can leave an upstream as it is', () => {
    equal(totalOf(read('--short', '--check').experiment.spans) < 10_000, true)
    const { url, spans } = read('--url', 'http://127.0.0.1:8080/health').experiment
    deepEqual([url, spans], ['http://127.0.0.1:8080/health', [{ name: 'load', from: 0, to: 20_000 }]])
  })

  test('refuses what makes no sense, and says what was expected', () => {
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [['--rate', 'many'], /argument 'many' is invalid. Expected a whole number from 1 to 20000/],
      [['--rate', '0'], /Expected a whole number/],
      [['--rate', '1.5'], /Expected a whole number/],
      [['--deadline', ''], /Expected a whole number from 10 to 60000/],
      [['--phases', 'boom:1'], /argument 'boom:1' is invalid. Got 'boom:1', expected NAME:SECONDS/],
      [['--outage', 'flood'], /Allowed choices are 502, reset, hang/],
      [['--url', 'ftp://localhost'], /Expected an http or https URL/],
      [['--url', 'http://localhost', '--workers', '3'], /cannot be used with/],
      [['--url', 'http://localhost', '--check'], /cannot be used with/],
      [['--short', '--phases', 'health:1'], /cannot be used with/],
      [['--check', '--phases', 'health:1,outage:1'], /needs an outage with a recovery right after it/],
      [['--json', 'no/such/folder/a.json'], /Expected a file in a folder that exists/],
      [['--loud'], /unknown option '--loud'/],
      [['extra'], /too many arguments/],
    ]
    for (const [args, message] of refusals) throws(() => read(...args), { message }, args.join(' '))
  })
})
