import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type InsideKey, insideKeys } from '../../demo/messages.ts'
import { parsePhases } from '../../demo/phases.ts'
import { chart } from '../../demo/report/chart.ts'
import { insideChart } from '../../demo/report/inside.ts'
import { Series } from '../../demo/series.ts'
import { bars, paint } from '../../demo/view/bars.ts'
import { colorsFor } from '../../demo/view/colors.ts'
import { cells, goodputOf } from '../../demo/view/columns.ts'
import { frame } from '../../demo/view/frame.ts'
import { line } from '../../demo/view/lines.ts'
import { runOf, trackOf } from './tracks.ts'

const plain = colorsFor({ isTTY: false })
const spans = parsePhases('health:1,outage:2,recovery:1')
const bare = trackOf('bare undici', spans, elapsed => ({ good: elapsed < 1000 || elapsed >= 3000 ? 1 : 0 }))
const protectedTrack = {
  ...trackOf('breakwater', spans, elapsed => elapsed >= 1000 && elapsed < 3000 ? { good: 0, reached: 0 } : { good: 1 },
    [{ count: 0, median: 0, p99: 0 }, { count: 4000, median: 0.03, p99: 1 }, { count: 0, median: 0, p99: 0 }]),
  circuit: { state: 'open', why: 'ten failures in a row' },
  circuits: [{ at: 10, state: 'closed', why: '' }, { at: 1020, state: 'open', why: 'ten failures in a row' }],
}

suite('bars', () => {
  test('grow by eighths, over several lines', () => {
    deepEqual(bars([0, 0.5, 1, undefined], 1), [['▁', '▄', '█', ' ']])
    deepEqual(bars([0, 0.25, 0.75, 1, 2], 2), [[' ', ' ', '▄', '█', '█'], ['▁', '▄', '█', '█', '█']])
  })

  test('are coloured in stretches', () => {
    const colors = [(text: string) => `<${text}>`, (text: string) => `(${text})`] as const
    equal(paint(['a', 'b', 'c', 'd'], index => colors[index < 3 ? 0 : 1]), '<abc>(d)')
  })
})

suite('cells', () => {
  test('fill the width and cover the time once', () => {
    for (const width of [20, 64, 88, 150]) {
      const grid = cells(parsePhases('health:5,outage:6,recovery:4,brown-out:6,recovery:5'), width)
      equal(grid.length, width)
      equal(grid[0]?.from, 0)
      equal(grid.at(-1)?.to, 520)
      ok(grid.slice(1).every(({ from }, index) => from === grid[index]?.to || from === grid[index]?.from))
      ok(grid.every(cell => cell.to - cell.from >= 5))
    }
  })

  test('know their goodput once all their calls have ended', () => {
    equal(goodputOf(runOf(spans, [bare], 900), bare, { from: 0, to: 5 }), 1)
    equal(goodputOf(runOf(spans, [bare], 200), bare, { from: 0, to: 5 }), undefined)
    const pending = trackOf('', spans, () => ({ good: 1 }))
    pending.calls.add('offered', 3)
    equal(goodputOf(runOf(spans, [pending], 900), pending, { from: 0, to: 5 }), undefined)
  })
})

suite('the views', () => {
  test('show on a screen where the run is and what each client sees', () => {
    const lines = frame(runOf(spans, [bare, protectedTrack], 2000), 80, plain)
    ok(lines.every(text => text.length <= 80) && lines.length <= 23)
    const text = lines.join('\n')
    match(text, /health +outage +recovery/)
    match(text, /the upstream answers every call with a 502 {3}2.0 of 4 s/)
    match(text, /bare undici {3}0 % good · 2000\/s reach it · 0 queued/)
    match(text, /breakwater {3}0 % good · 0\/s reach it · 0 queued · fails in 0.030 ms/)
    match(text, /circuit {2}none: every call goes out/)
    match(text, /circuit {2}open – ten failures in a row/)
  })

  test('say in a log a line per second', () => {
    const run = runOf(spans, [bare, protectedTrack], 4000)
    equal(line(run, 1), '  1 s  health     bare undici  100 % good, 2000 reached  |  '
      + 'breakwater  100 % good, 2000 reached, closed')
    match(line(run, 2), /^ {2}2 s {2}outage {5}.*breakwater {4}0 % good, {4}0 reached, fails in 0.030 ms, open$/)
  })

  test('draw a chart that is well-formed and has a panel per client', () => {
    const svg = chart(runOf(spans, [bare, { ...protectedTrack, name: 'a <b> & "c"' }], 4000))
    match(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 0 960 \d+"/)
    match(svg, /a &lt;b&gt; &amp; /)
    equal(svg.match(/stroke-width="1.5"/g)?.length, 2)
    equal(svg.match(/>outage</g)?.length, 1, 'phases are named once, at the top')
    wellFormed(svg)
  })

  test('draw what goes on inside a client that can tell, and outside of any', () => {
    const inside = new Series(insideKeys)
    for (let column = 0; column < 80; column++) {
      const isOpen = column >= 20 && column < 60
      const seen: Record<InsideKey, number> = { limit: 1_234, inFlight: 7, waiting: 3, tokens: 400, circuit: isOpen ? 2 : 0 }
      for (const key of insideKeys) inside.add(key, column, seen[key])
    }
    const { experiment } = runOf(spans, [], 4000)
    const told = insideChart('a day', experiment, { ...protectedTrack, inside })
    wellFormed(told)
    for (const word of ['permits', 'waiting', 'tokens', 'requests in its queue']) equal(told.split(`>${word}<`).length, 2, word)
    deepEqual([...told.matchAll(/>(open|closed|half-open)</g)].map(([, state]) => state), ['closed', 'open', 'closed'])
    match(told, />1,500</, 'the axis holds the limit')
    const seen = insideChart('a day', experiment, bare)
    wellFormed(seen)
    equal(seen.includes('permits'), false)
  })
})

function wellFormed(svg: string): void {
  equal(/NaN|undefined|Infinity/.test(svg), false)
  const open: string[] = []
  for (const [, close, name = '', self] of svg.matchAll(/<(\/?)(\w+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close) equal(open.pop(), name)
    else if (!self) open.push(name)
  }
  deepEqual(open, [])
}
