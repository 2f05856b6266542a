import { deepEqual, equal, throws } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { brownOut, modeOf, parsePhases, spanIndexAt, totalOf } from '../../demo/phases.ts'

suite('phases', () => {
  test('are laid end to end', () => {
    deepEqual(parsePhases('health:5, outage:1.25 ,brown-out:0.25'), [
      { name: 'health', from: 0, to: 5000 },
      { name: 'outage', from: 5000, to: 6250 },
      { name: 'brown-out', from: 6250, to: 6500 },
    ])
    equal(totalOf(parsePhases('health:5,outage:1.25')), 6250)
  })

  test('are refused with what was given and what was expected', () => {
    const refusals = {
      '': /Got '', expected NAME:SECONDS with NAME one of health, outage, recovery, brown-out, load/,
      'health': /Got 'health', expected NAME:SECONDS/,
      'health:5,': /Got '', expected NAME:SECONDS/,
      'health:5;outage:6': /Got 'health:5;outage:6'/,
      'storm:5': /Got 'storm:5', expected NAME:SECONDS/,
      'health:-1': /Got 'health:-1'/,
      'health:1e3': /Got 'health:1e3'/,
      'health:0.2': /Got 'health:0.2', expected 0.25 to 3600 seconds in steps of 0.05/,
      'health:0.333': /expected 0.25 to 3600 seconds in steps of 0.05/,
      'health:3601': /expected 0.25 to 3600 seconds/,
    }
    for (const [given, message] of Object.entries(refusals)) {
      throws(() => parsePhases(given), { name: 'RangeError', message }, given)
    }
  })

  test('hold their first moment and not their last', () => {
    const spans = parsePhases('health:1,outage:1')
    deepEqual([0, 999.9, 1000, 1999.9, 2000, 9999].map(at => spanIndexAt(spans, at)), [0, 0, 1, 1, 1, 1])
  })

  test('say what the upstream does in them', () => {
    deepEqual(
      (['health', 'outage', 'recovery', 'brown-out', 'load'] as const).map(name => modeOf(name, 'hang')),
      ['healthy', 'hang', 'healthy', 'brown-out', 'healthy'],
    )
    deepEqual([1, 4, 20, 25].map(brownOut), [1, 1, 2, 3])
  })
})
